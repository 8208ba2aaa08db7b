"""What the writer does to the rollups: folding new events into them, and merging their rows.

The writer folds between commits, in chunks that bound how long a commit can wait: when the tail
that readers add is long, and when it has stood for a while. It merges the rows of one account and
day, or of one block of entities, at a time when they have become many more than their cells.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

import duckdb

from infraprism_server.event_store.duckdb import tag_sums
from infraprism_server.event_store.duckdb.rollup import (
    DAY_OF_TS,
    QUARTER_OF_TS,
    QUARTERS_A_DAY,
    watermark,
)
from infraprism_server.event_store.duckdb.session_days import HASH_OF_NAME
from infraprism_server.event_store.duckdb.sums import EVENT_SUMS, ROLLUP_SUMS, SUM_NAMES

FOLD_AFTER_EVENTS: Final = 200_000
"""How long the tail that readers sum from the table may become."""
FOLD_CHUNK_EVENTS: Final = 100_000
"""Events folded at once, about 50 ms: more only when a single commit holds more. The more at once,
the fewer cells they make."""
RESTING_EVENTS: Final = 5_000
"""A shorter tail costs readers next to nothing."""
RESTING_SECONDS: Final = 30.0
"""How long a tail of more than that may stand before it is folded, where little arrives."""
MERGE_EVERY_FOLDS: Final = 8
LOOSE_ROWS: Final = 20_000
"""Unmerged rows of one account and day, beyond as many as it has merged, that start a merge."""


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
    tag_sums.FOLD,
    f"""INSERT INTO session_days
    SELECT account, {HASH_OF_NAME}, min(day), max(day)
    FROM (SELECT account, session_id, {DAY_OF_TS} AS day FROM events
        WHERE commit_no > ? AND commit_no <= ? AND session_id IS NOT NULL)
    GROUP BY account, session_id""",  # noqa: S608
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
        resting_events: int = RESTING_EVENTS,
        resting_seconds: float = RESTING_SECONDS,
        most_tag_sets: int = tag_sums.MOST_TAG_SETS,
    ) -> None:
        self.watermark = 0
        self._after_events = after_events
        self._chunk_events = chunk_events
        self._loose_rows = loose_rows
        self._merge_every_folds = merge_every_folds
        self._resting_events = resting_events
        self._resting_seconds = resting_seconds
        self._most_tag_sets = most_tag_sets
        self._tail: deque[tuple[int, int]] = deque()
        self._tail_events = 0
        self._folds = 0
        self._rested = -inf
        """When the tail was last found, or made, short."""

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

    def due_in(self, now: float) -> float | None:
        """Seconds until a chunk should be folded; None: not before more is appended.

        `now` is a monotonic clock's.
        """
        if self._tail_events > self._after_events:
            return 0.0
        if self._tail_events <= self._resting_events:
            self._rested = now
            return None
        return max(0.0, self._rested + self._resting_seconds - now)

    def fold_chunk(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Move the oldest part of the tail into the rollups, in one transaction."""
        count, taken, last = 0, 0, self.watermark
        for commit_no, events in self._tail:
            if count and count + events > self._chunk_events:
                break
            count, taken, last = count + events, taken + 1, commit_no
        connection.execute("BEGIN TRANSACTION")
        tag_sums.give_up_crowded(connection, self._most_tag_sets)
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
        elif not tag_sums.merge_loose_day(connection, self._loose_rows):
            self._folds = 0


def _merge_day(connection: duckdb.DuckDBPyConnection, account: int, day: int) -> None:
    slots = (day * QUARTERS_A_DAY, (day + 1) * QUARTERS_A_DAY)
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
    f"""INSERT INTO rollup_tag_day
    SELECT account, {DAY_OF_TS} AS day, tag_code, model_code, false,
    {_CHANGED_SUMS} FROM differences WHERE commit_no <= ?
    AND account NOT IN (SELECT account FROM accounts_without_tag_sums)
    GROUP BY account, day, tag_code, model_code""",  # noqa: S608
)
"""Add what a repricing changed, from an arrow table `differences`, up to the watermark."""

assert SUM_NAMES.startswith("events, errors, unpriced_events, cost_pico, reported_cost_pico, ")
