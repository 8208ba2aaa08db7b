"""Sums made beforehand: by entity, day and model; by quarter hour and model; by entity alone.

A rollup row is a sum over some events of its cell; a cell may have several rows, and readers add
them up. That makes every change an insert: folding new events, and the difference a repricing
makes. The rollups cover exactly the events whose commit_no is up to the watermark; readers add
the events after it from the table itself, in the same snapshot, so answers are always exact.

The writer folds between commits, in chunks that bound how long a commit can wait, and merges the
rows of one account and day, or of one block of entities, at a time when they have become many
more than their cells.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_MINUTE
from infraprism_server.event_store.duckdb.filters import MAX_US, MIN_US, Clause, Selection
from infraprism_server.event_store.duckdb.sums import EVENT_SUMS, ROLLUP_SUMS, SUM_NAMES

FOLD_AFTER_EVENTS: Final = 200_000
"""How long the tail that readers sum from the table may become."""
FOLD_CHUNK_EVENTS: Final = 100_000
"""Events folded at once, about 50 ms: more only when a single commit holds more. The more at once,
the fewer cells they make."""
MERGE_EVERY_FOLDS: Final = 8
LOOSE_ROWS: Final = 20_000
"""Unmerged rows of one account and day, beyond as many as it has merged, that start a merge."""

_QUARTERS_A_DAY: Final = 96

# Integer division cuts towards zero: the shift of a million days makes it a floor.
DAY_OF_TS: Final = "((ts + 86400000000000000) // 86400000000 - 1000000)::INTEGER"
QUARTER_OF_TS: Final = "((ts + 86400000000000000) // 900000000 - 96000000)::INTEGER"


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table, and the grid of time it has."""

    table: str
    column: str
    width_us: int
    of_ts: str
    """The same grid, of an event row."""


ENTITY_DAY: Final = Rollup("rollup_entity_day", "day", MICROSECONDS_PER_DAY, DAY_OF_TS)
QUARTER: Final = Rollup("rollup_quarter", "slot", 15 * MICROSECONDS_PER_MINUTE, QUARTER_OF_TS)


@dataclass(frozen=True, slots=True)
class Part:
    """A table and a condition; the parts of a question cover each of its events exactly once."""

    table: str
    where: Clause
    sums: str
    rolled: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """What the rollups cover of an account's events, in a cursor's snapshot."""

    commit_no: int
    whole: bool
    """Whether there is no event after it."""


def watermark(cursor: duckdb.DuckDBPyConnection) -> int:
    """The last commit_no the rollups cover, in the cursor's snapshot."""
    rows = cursor.execute("SELECT watermark FROM rollup_state").fetchall()
    return int(rows[0][0])


def covered(cursor: duckdb.DuckDBPyConnection, account: int) -> Covered:
    """What the rollups cover of an account. A tail that is known to be empty is not planned."""
    last = watermark(cursor)
    tail = cursor.execute(
        "SELECT 1 FROM events WHERE account = ? AND commit_no > ? LIMIT 1", [account, last]
    ).fetchall()
    return Covered(last, not tail)


def folded_extent(cursor: duckdb.DuckDBPyConnection, account: int) -> tuple[int, int] | None:
    """The timestamps of the oldest and the newest event that is folded."""
    ((first, last),) = cursor.execute(
        "SELECT min(slot), max(slot) FROM rollup_quarter WHERE account = ?", [account]
    ).fetchall()
    if first is None:
        return None
    (extent,) = cursor.execute(
        "SELECT min(first_us), max(last_us) FROM rollup_entity_day"
        " WHERE account = ? AND day IN (?, ?)",
        [account, first // _QUARTERS_A_DAY, last // _QUARTERS_A_DAY],
    ).fetchall()
    return None if extent[0] is None else extent


def events_part(selection: Selection, start_us: int, end_us: int) -> Part:
    """A range of time, from the event rows alone."""
    return Part("events", selection.events(start_us, end_us), EVENT_SUMS, rolled=False)


def _tail(selection: Selection, known: Covered, start_us: int, end_us: int) -> list[Part]:
    """What of a range of time is not folded yet."""
    if known.whole:
        return []
    part = events_part(selection, start_us, end_us)
    return [replace(part, where=part.where & Clause("commit_no > ?", (known.commit_no,)))]


def parts_of_all_time(selection: Selection, known: Covered) -> list[Part]:
    """Everything of some entities, from the rollup that has one cell each; no times, no models."""
    return [
        Part("rollup_entity", selection.codes, ROLLUP_SUMS, rolled=True),
        *_tail(selection, known, selection.start_us, selection.end_us),
    ]


def parts_by_entity(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    known: Covered,
    start_us: int,
    end_us: int,
) -> list[Part] | None:
    """A range that holds everything that is folded, by entity (and null): a cell an entity.

    None when something folded lies outside the range. For a selection without models or details.
    """
    extent = folded_extent(cursor, selection.account)
    if extent is not None and not start_us <= extent[0] <= extent[1] < end_us:
        return None
    without = selection.codes & Clause("entity_code IS NULL")
    return [
        Part("rollup_entity", selection.codes, ROLLUP_SUMS, rolled=True),
        Part("rollup_entity_day", without, ROLLUP_SUMS, rolled=True),
        *_tail(selection, known, start_us, end_us),
    ]


def parts(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    rollup: Rollup,
    known: Covered,
    span_us: tuple[int, int],
) -> list[Part]:
    """A range of time from a rollup, its ragged edges and its tail from the event rows.

    A ragged edge beyond which its cell has nothing (the end is now) comes from the rollup too.
    The selection must have no details.
    """
    start_us, end_us = span_us
    first = -(-start_us // rollup.width_us)
    last = end_us // rollup.width_us
    if first > last:
        return [events_part(selection, start_us, end_us)]
    edges: list[Part] = []
    inner_start_us, inner_end_us = first * rollup.width_us, last * rollup.width_us
    if start_us < inner_start_us:
        if _is_folded(cursor, selection, known, inner_start_us - rollup.width_us, start_us):
            edges.append(events_part(selection, start_us, inner_start_us))
        else:
            first, inner_start_us = first - 1, start_us
    if inner_end_us < end_us:
        if _is_folded(cursor, selection, known, end_us, inner_end_us + rollup.width_us):
            edges.append(events_part(selection, inner_end_us, end_us))
        else:
            last, inner_end_us = last + 1, end_us
    if first == last:  # two edges, nothing between them
        return [events_part(selection, start_us, end_us)]
    inner = selection.codes & Clause(f"{rollup.column} >= ? AND {rollup.column} < ?", (first, last))
    return [
        Part(rollup.table, inner, ROLLUP_SUMS, rolled=True),
        *_tail(selection, known, inner_start_us, inner_end_us),
        *edges,
    ]


def _is_folded(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    known: Covered,
    start_us: int,
    end_us: int,
) -> bool:
    """Whether the rollups hold an event of the account in a range of time."""
    if start_us < MIN_US or end_us > MAX_US:
        return False
    return bool(
        cursor.execute(
            "SELECT 1 FROM events WHERE account = ? AND ts >= ? AND ts < ? AND commit_no <= ?"
            " LIMIT 1",
            [selection.account, start_us, end_us, known.commit_no],
        ).fetchall()
    )


# Folding and merging speak of every account at once: nobody reads their result, only sums by it.
_FOLD: Final = (
    f"""INSERT INTO rollup_entity_day
    SELECT account, {DAY_OF_TS} AS day, entity_code, model_code, false, min(ts), max(ts),
    {EVENT_SUMS} FROM events WHERE commit_no > ? AND commit_no <= ?
    GROUP BY account, day, entity_code, model_code""",  # noqa: S608
    f"""INSERT INTO rollup_quarter
    SELECT account, {QUARTER_OF_TS} AS slot, model_code, false,
    {EVENT_SUMS} FROM events WHERE commit_no > ? AND commit_no <= ?
    GROUP BY account, slot, model_code""",  # noqa: S608
    f"""INSERT INTO rollup_entity
    SELECT account, entity_code, false, min(ts), max(ts), {EVENT_SUMS} FROM events
    WHERE commit_no > ? AND commit_no <= ? AND entity_code IS NOT NULL
    GROUP BY account, entity_code""",  # noqa: S608
)

_LOOSE_DAYS: Final = """
    SELECT account, day FROM rollup_entity_day GROUP BY account, day
    HAVING count(*) FILTER (NOT merged) > ? + count(*) FILTER (merged)
    ORDER BY count(*) DESC LIMIT 1
"""

_MERGED_DAY: Final = f"""
    CREATE OR REPLACE TEMP TABLE days AS
    SELECT account, day, entity_code, model_code, true AS merged,
    min(first_us) AS first_us, max(last_us) AS last_us, {ROLLUP_SUMS}
    FROM rollup_entity_day WHERE account = ? AND day = ?
    GROUP BY account, day, entity_code, model_code ORDER BY entity_code, model_code
"""  # noqa: S608

_MERGED_QUARTERS: Final = f"""
    CREATE OR REPLACE TEMP TABLE quarters AS
    SELECT account, slot, model_code, true AS merged, {ROLLUP_SUMS}
    FROM rollup_quarter WHERE account = ? AND slot >= ? AND slot < ?
    GROUP BY account, slot, model_code ORDER BY slot, model_code
"""  # noqa: S608

# A block bounds what one merge takes, however many entities an account has.
_ENTITIES_PER_BLOCK: Final = 16_384

_LOOSE_BLOCKS: Final = f"""
    SELECT account, entity_code // {_ENTITIES_PER_BLOCK} AS block FROM rollup_entity
    GROUP BY account, block HAVING count(*) FILTER (NOT merged) > ? + count(*) FILTER (merged)
    ORDER BY count(*) DESC LIMIT 1
"""  # noqa: S608

_MERGED_BLOCK: Final = f"""
    CREATE OR REPLACE TEMP TABLE block AS SELECT account, entity_code, true AS merged,
    min(first_us) AS first_us, max(last_us) AS last_us, {ROLLUP_SUMS}
    FROM rollup_entity WHERE account = ? AND entity_code >= ? AND entity_code < ?
    GROUP BY account, entity_code ORDER BY entity_code
"""  # noqa: S608


class Folding:
    """The writer's book of what is not folded yet."""

    def __init__(
        self,
        *,
        after_events: int = FOLD_AFTER_EVENTS,
        chunk_events: int = FOLD_CHUNK_EVENTS,
        loose_rows: int = LOOSE_ROWS,
        merge_every_folds: int = MERGE_EVERY_FOLDS,
    ) -> None:
        self.watermark = 0
        self._after_events = after_events
        self._chunk_events = chunk_events
        self._loose_rows = loose_rows
        self._merge_every_folds = merge_every_folds
        self._tail: deque[tuple[int, int]] = deque()
        self._tail_events = 0
        self._folds = 0

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Find the tail of a file that was just opened."""
        self.watermark = watermark(connection)
        self._tail = deque(
            connection.execute(
                "SELECT commit_no, count(*) FROM events WHERE commit_no > ?"
                " GROUP BY commit_no ORDER BY commit_no",
                [self.watermark],
            ).fetchall()
        )
        self._tail_events = sum(count for _, count in self._tail)

    def appended(self, commit_no: int, count: int) -> None:
        """A commit has added events."""
        self._tail.append((commit_no, count))
        self._tail_events += count

    def due(self) -> bool:
        """Whether the tail is long enough for another chunk."""
        return self._tail_events > self._after_events

    def fold_chunk(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Move the oldest part of the tail into the rollups, in one transaction."""
        count, taken, last = 0, 0, self.watermark
        for commit_no, events in self._tail:
            if count and count + events > self._chunk_events:
                break
            count, taken, last = count + events, taken + 1, commit_no
        connection.execute("BEGIN TRANSACTION")
        for statement in _FOLD:
            connection.execute(statement, [self.watermark, last])
        connection.execute("UPDATE rollup_state SET watermark = ?", [last])
        connection.execute("COMMIT")
        self.watermark = last
        self._tail_events -= count
        for _ in range(taken):
            self._tail.popleft()
        self._folds += 1

    def merge_if_loose(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Every few folds, merge what has the most to gain, until nothing has much."""
        if self._folds < self._merge_every_folds:
            return
        days = connection.execute(_LOOSE_DAYS, [self._loose_rows]).fetchall()
        blocks = connection.execute(_LOOSE_BLOCKS, [self._loose_rows]).fetchall()
        if days:
            _merge_day(connection, *days[0])
        elif blocks:
            _merge_block(connection, *blocks[0])
        else:
            self._folds = 0


def _merge_day(connection: duckdb.DuckDBPyConnection, account: int, day: int) -> None:
    slots = (day * _QUARTERS_A_DAY, (day + 1) * _QUARTERS_A_DAY)
    connection.execute("BEGIN TRANSACTION")
    connection.execute(_MERGED_DAY, [account, day])
    connection.execute(_MERGED_QUARTERS, [account, *slots])
    connection.execute(
        "DELETE FROM rollup_entity_day WHERE account = ? AND day = ?", [account, day]
    )
    connection.execute(
        "DELETE FROM rollup_quarter WHERE account = ? AND slot >= ? AND slot < ?",
        [account, *slots],
    )
    connection.execute("INSERT INTO rollup_entity_day SELECT * FROM days")
    connection.execute("INSERT INTO rollup_quarter SELECT * FROM quarters")
    connection.execute("DROP TABLE days")
    connection.execute("DROP TABLE quarters")
    connection.execute("COMMIT")


def _merge_block(connection: duckdb.DuckDBPyConnection, account: int, block: int) -> None:
    codes = (block * _ENTITIES_PER_BLOCK, (block + 1) * _ENTITIES_PER_BLOCK)
    connection.execute("BEGIN TRANSACTION")
    connection.execute(_MERGED_BLOCK, [account, *codes])
    connection.execute(
        "DELETE FROM rollup_entity WHERE account = ? AND entity_code >= ? AND entity_code < ?",
        [account, *codes],
    )
    connection.execute("INSERT INTO rollup_entity SELECT * FROM block")
    connection.execute("DROP TABLE block")
    connection.execute("COMMIT")


_CHANGED_SUMS: Final = """0, 0, sum(unpriced_change), sum(cost_change), sum(reported_change),
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0"""

CORRECT: Final = (
    f"""INSERT INTO rollup_entity_day
    SELECT account, {DAY_OF_TS} AS day, entity_code, model_code, false, NULL, NULL,
    {_CHANGED_SUMS} FROM differences WHERE commit_no <= ?
    GROUP BY account, day, entity_code, model_code""",  # noqa: S608
    f"""INSERT INTO rollup_quarter
    SELECT account, {QUARTER_OF_TS} AS slot, model_code, false,
    {_CHANGED_SUMS} FROM differences WHERE commit_no <= ?
    GROUP BY account, slot, model_code""",  # noqa: S608
    f"""INSERT INTO rollup_entity SELECT account, entity_code, false, NULL, NULL, {_CHANGED_SUMS}
    FROM differences WHERE commit_no <= ? AND entity_code IS NOT NULL
    GROUP BY account, entity_code""",  # noqa: S608
)
"""Add what a repricing changed, from an arrow table `differences`, up to the watermark."""

assert SUM_NAMES.startswith("events, errors, unpriced_events, cost_pico, reported_cost_pico, ")
