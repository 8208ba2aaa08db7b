"""Sums made beforehand: by entity, day and model; by quarter hour and model; by entity alone;
by set of tags, day and model.

A rollup row is a sum over some events of its cell; a cell may have several rows, and readers add
them up. That makes every change an insert: folding new events, and the difference a repricing
makes. The rollups cover exactly the events whose commit_no is up to the watermark; readers add
the events after it from the table itself, in the same snapshot, so answers are always exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import duckdb

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_MINUTE
from infraprism_server.event_store.duckdb.filters import MAX_US, MIN_US, Clause, Selection
from infraprism_server.event_store.duckdb.sums import SumColumns

QUARTERS_A_DAY: Final = 96

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
TAG_DAY: Final = Rollup("rollup_tag_day", "day", MICROSECONDS_PER_DAY, DAY_OF_TS)
"""For the accounts that have it: see tag_sums.py. It knows nothing of entities."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a table; the parts of a question cover each of its events exactly once."""

    source: Clause
    """The table's name, and joins."""
    where: Clause
    rolled: bool

    @property
    def rows(self) -> Clause:
        """What follows FROM."""
        return Clause(
            f"{self.source.text} WHERE {self.where.text}", self.source.values + self.where.values
        )

    def sums(self, columns: SumColumns) -> str:
        """The select list of sums over its rows."""
        return columns.of_sums if self.rolled else columns.of_events


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
        [account, first // QUARTERS_A_DAY, last // QUARTERS_A_DAY],
    ).fetchall()
    return None if extent[0] is None else extent


def events_part(selection: Selection, start_us: int, end_us: int) -> Part:
    """A range of time, from the event rows alone."""
    return Part(selection.of_events(), selection.in_range(start_us, end_us), rolled=False)


def _tail(selection: Selection, known: Covered, start_us: int, end_us: int) -> list[Part]:
    """What of a range of time is not folded yet."""
    if known.whole:
        return []
    part = events_part(selection, start_us, end_us)
    return [replace(part, where=part.where & Clause("commit_no > ?", (known.commit_no,)))]


def parts_of_all_time(selection: Selection, known: Covered) -> list[Part]:
    """Everything of some entities, from the rollup that has one cell each; no times, no models."""
    return [
        Part(selection.of("rollup_entity"), selection.codes, rolled=True),
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
        Part(selection.of("rollup_entity"), selection.codes, rolled=True),
        Part(selection.of("rollup_entity_day"), without, rolled=True),
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
        Part(selection.of(rollup.table, tagged=rollup is TAG_DAY), inner, rolled=True),
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
