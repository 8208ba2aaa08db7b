"""Sums by day, set of tags and model: kept for accounts whose tags repeat.

Where tags name what is never the same twice (a request, a document), such sums would be as many as
the events. So an account with too many sets gets none from then on; its questions about tags are
answered from the events themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb

from infraprism_server.event_store.duckdb.filters import Clause
from infraprism_server.event_store.duckdb.rollup import DAY_OF_TS
from infraprism_server.event_store.duckdb.sums import (
    EVENT_SUMS,
    NEGATED_SUMS,
    ROLLUP_SUMS,
    SUM_NAMES,
)

MOST_TAG_SETS: Final = 1_000
"""Of an account: with more of them it has no sums by tags. Step 2 of the schema says the same."""

FOLD: Final = f"""INSERT INTO rollup_tag_day
    SELECT account, {DAY_OF_TS} AS day, tag_code, model_code, false, {EVENT_SUMS} FROM events
    WHERE commit_no > ? AND commit_no <= ?
    AND account NOT IN (SELECT account FROM accounts_without_tag_sums)
    GROUP BY account, day, tag_code, model_code"""  # noqa: S608

_CROWDED: Final = """INSERT INTO accounts_without_tag_sums
    SELECT account FROM tag_sets GROUP BY account HAVING count(*) > ?
    AND account NOT IN (SELECT account FROM accounts_without_tag_sums) RETURNING account"""

_LOOSE_DAYS: Final = """
    SELECT account, day FROM rollup_tag_day GROUP BY account, day
    HAVING count(*) FILTER (NOT merged) > ? + count(*) FILTER (merged)
    ORDER BY count(*) DESC LIMIT 1
"""

_CELL: Final = "account, day, tag_code, model_code"
_CELLS: Final = f"SELECT {_CELL}, {SUM_NAMES} FROM rollup_tag_day"  # noqa: S608


def are_kept(cursor: duckdb.DuckDBPyConnection, account: int) -> bool:
    """Whether an account has sums by tags, in the cursor's snapshot."""
    found = cursor.execute(
        "SELECT 1 FROM accounts_without_tag_sums WHERE account = ?", [account]
    ).fetchall()
    return not found


def give_up_crowded(connection: duckdb.DuckDBPyConnection, most: int = MOST_TAG_SETS) -> None:
    """Drop the sums of accounts that have too many sets by now, in the caller's transaction."""
    for (account,) in connection.execute(_CROWDED, [most]).fetchall():
        connection.execute("DELETE FROM rollup_tag_day WHERE account = ?", [account])


def merge_loose_day(connection: duckdb.DuckDBPyConnection, loose_rows: int) -> bool:
    """Merge the rows of the account and day that have the most to gain; False: none have much."""
    days = connection.execute(_LOOSE_DAYS, [loose_rows]).fetchall()
    if days:
        account, day = days[0]
        connection.execute("BEGIN TRANSACTION")
        _make_anew(connection, account, (day, day + 1), Clause(_CELLS))
        connection.execute("COMMIT")
    return bool(days)


def subtract(
    connection: duckdb.DuckDBPyConnection,
    account: int,
    days: tuple[int, int],
    doomed: Clause,
    watermark: int,
) -> None:
    """Take the folded ones of some events out of the sums of days [first, last), before they go."""
    _change(connection, account, days, [_folded(doomed, watermark, "tag_code", NEGATED_SUMS)])


def strip(
    connection: duckdb.DuckDBPyConnection,
    account: int,
    days: tuple[int, int],
    chosen: Clause,
    watermark: int,
) -> None:
    """Count the folded ones of some events of days [first, last) as events without tags."""
    less = _folded(chosen, watermark, "tag_code", NEGATED_SUMS)
    more = _folded(chosen, watermark, "NULL::INTEGER", SUM_NAMES)
    _change(connection, account, days, [less, more])


def _folded(chosen: Clause, watermark: int, tag_code: str, sums: str) -> Clause:
    """Cells of those of some events that the sums hold."""
    return Clause(
        f"SELECT {_CELL}, {sums} FROM (SELECT account, {DAY_OF_TS} AS day,"  # noqa: S608
        f" {tag_code} AS tag_code, model_code, {EVENT_SUMS} FROM events"
        f" WHERE {chosen.text} AND commit_no <= ? GROUP BY ALL)",
        (*chosen.values, watermark),
    )


def _change(
    connection: duckdb.DuckDBPyConnection,
    account: int,
    days: tuple[int, int],
    changes: Sequence[Clause],
) -> None:
    """Add cells to the sums of some days, if the account has any."""
    if are_kept(connection, account):
        cells = Clause(
            " UNION ALL ".join([_CELLS, *(change.text for change in changes)]),
            tuple(value for change in changes for value in change.values),
        )
        _make_anew(connection, account, days, cells)


def _make_anew(
    connection: duckdb.DuckDBPyConnection, account: int, days: Sequence[int], cells: Clause
) -> None:
    """One row for each cell of some days that has events, in the caller's transaction."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE tag_days AS"  # noqa: S608
        f" SELECT {_CELL}, true AS merged, {ROLLUP_SUMS} FROM ({cells.text})"
        f" WHERE account = ? AND day >= ? AND day < ?"
        f" GROUP BY {_CELL} HAVING sum(events) > 0 ORDER BY tag_code, model_code",
        [*cells.values, account, *days],
    )
    connection.execute(
        "DELETE FROM rollup_tag_day WHERE account = ? AND day >= ? AND day < ?", [account, *days]
    )
    connection.execute(
        f"INSERT INTO rollup_tag_day SELECT {_CELL}, merged, {SUM_NAMES} FROM tag_days"  # noqa: S608
    )
    connection.execute("DROP TABLE tag_days")
