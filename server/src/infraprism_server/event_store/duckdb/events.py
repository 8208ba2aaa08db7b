"""Reading events: one, a page of the newest, all of them from the oldest.

A page is found in three steps, so that its cost depends on the page and not on how deep it lies:
count the matching events by day (which gives the exact total and the days the page lies in), sort
ids and row numbers of those days alone, then read the rows of the page. A session has few events:
they are all found by one look at the column. What no sums made beforehand can count (an entity's
tags, unpriced calls) is counted as a whole, in half the time, and a page near the top is looked for
from the top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar
from uuid import UUID

import duckdb

from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.errors import Unavailable
from infraprism_server.event_store.contract import Event, EventFilter, EventPage, Position
from infraprism_server.event_store.duckdb import rollup, rows, tag_sums
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.duplicates import find_rowids
from infraprism_server.event_store.duckdb.filters import Clause, Selection, select
from infraprism_server.ids import event_key

_SCAN_SLICE_EVENTS: Final = 50_000
_MOST_TRIES: Final = 20
_FEW: Final = 1_000
"""Matching events that are sorted here rather than looked for twice."""
_NEAR: Final = 10_000
"""How deep a page may lie to be looked for from the top."""
_NEWEST_DAYS: Final = (1, 8, 64)
"""Where a page near the top is looked for, before everywhere."""

_COUNTED: Final = {
    None: "sum(events)",
    True: "sum(events) - sum(errors)",
    False: "sum(errors)",
}
"""How many events of a cell there are, by whether they must have succeeded."""

_Answer = TypeVar("_Answer")
_Found: TypeAlias = tuple[int, UUID, int]
"""A row's number, its id and its time."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The total of a list, and the slots [first, last] that hold a page with `before` above it."""

    total: int
    first: int | None
    last: int | None
    before: int


def find_event(database: Database, account: int, event_id: str) -> Event | None:
    """The event with this id, or None."""
    key, text = event_key(event_id)

    def find(cursor: duckdb.DuckDBPyConnection) -> Event | None:
        rowids = find_rowids(cursor, [account], [key], [text]).get(account, [])
        found = [(rowid, UUID(bytes=key)) for rowid in rowids]
        events = rows.read_found(cursor, account, found)
        return next((event for event in events if event.id == event_id), None)

    return _while_rows_stay(database, find)


def _while_rows_stay(
    database: Database,
    work: Callable[[duckdb.DuckDBPyConnection], _Answer],
    *,
    timed: bool = True,
) -> _Answer:
    """What `work` makes of one snapshot; of another one when rows moved meanwhile. Unavailable."""
    for _ in range(_MOST_TRIES):
        with suppress(rows.RowsMovedError), database.snapshot(timed=timed) as cursor:
            return work(cursor)
    raise Unavailable("events are being deleted faster than they can be read: try again")


def list_events(
    database: Database, where: EventFilter, *, limit: int, offset: int, after: Position | None
) -> EventPage:
    """A page of events, newest first."""

    def find(cursor: duckdb.DuckDBPyConnection) -> EventPage:
        selection = select(cursor, where)
        if selection.nothing or selection.start_us >= selection.end_us:
            return EventPage(events=[], total=0, next_position=None)
        if where.session_id is not None:
            with database.long_reads.turn():
                few = _find_few(cursor, selection)
            if few is not None:
                return _page_of(cursor, where.account, few, limit=limit, offset=offset, after=after)
        grid = _grid_of(cursor, selection)
        if grid is None and offset <= _NEAR:
            with database.long_reads.turn():
                total, found = _find_near(
                    cursor, selection, limit=limit, offset=offset, after=after
                )
            return _page(cursor, where.account, found, limit=limit, total=total)
        # Without sums made beforehand to count by, every event of the range is looked at.
        with database.long_reads.turn() if grid is None else nullcontext():
            window = _find_window(cursor, selection, grid, limit=limit, offset=offset, after=after)
        grid = grid or rollup.ENTITY_DAY
        if window.first is None or window.last is None:
            return EventPage(events=[], total=window.total, next_position=None)
        start_us = max(selection.start_us, window.first * grid.width_us)
        end_us = min(selection.end_us, (window.last + 1) * grid.width_us)
        matching = selection.events(start_us, end_us)
        if after is not None:
            matching &= _older_than(after)
        found = _newest(cursor, matching, limit=limit + 1, offset=offset - window.before)
        return _page(cursor, where.account, found, limit=limit, total=window.total)

    return _while_rows_stay(database, find)


def _grid_of(cursor: duckdb.DuckDBPyConnection, selection: Selection) -> rollup.Rollup | None:
    """What the matching events can be counted by; None: by the events themselves alone."""
    if selection.details:
        return None
    if selection.tags is not None:
        kept = not selection.by_entity and tag_sums.are_kept(cursor, selection.account)
        return rollup.TAG_DAY if kept else None
    return rollup.ENTITY_DAY if selection.by_entity else rollup.QUARTER


def _find_few(cursor: duckdb.DuckDBPyConnection, selection: Selection) -> list[_Found] | None:
    """What matches, in no order; None: more than a few."""
    matching = selection.events(selection.start_us, selection.end_us)
    found: list[_Found] = cursor.execute(
        f"SELECT rowid, id, ts FROM {matching.text} LIMIT ?",  # noqa: S608
        [*matching.values, _FEW + 1],
    ).fetchall()
    return None if len(found) > _FEW else found


def _find_near(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    *,
    limit: int,
    offset: int,
    after: Position | None,
) -> tuple[int, list[_Found]]:
    """How many match, and the events of a page near the top with the one after it."""
    every = selection.events(selection.start_us, selection.end_us)
    ((total,),) = cursor.execute(
        f"SELECT count(*) FROM {every.text}",  # noqa: S608
        every.values,
    ).fetchall()
    wanted = limit + 1 if after is not None else min(limit + 1, max(total - offset, 0))
    found: list[_Found] = []
    if after is None and total <= offset + limit:
        looked_in: Iterable[int] = (selection.start_us,)  # the page has the oldest of them
    else:
        looked_in = _ever_older(cursor, selection, after)
    for start_us in looked_in if wanted else ():
        matching = selection.events(start_us, selection.end_us)
        if after is not None:
            matching &= _older_than(after)
        found = _newest(cursor, matching, limit=wanted, offset=offset)
        if len(found) == wanted:
            break
    return total, found


def _ever_older(
    cursor: duckdb.DuckDBPyConnection, selection: Selection, after: Position | None
) -> Iterator[int]:
    """Where to begin looking: days before what is newest, and at last where the range begins."""
    end_us = selection.end_us if after is None else min(after.timestamp_us + 1, selection.end_us)
    grid = rollup.QUARTER
    ((slot,),) = cursor.execute(
        "SELECT max(slot) FROM rollup_quarter WHERE account = ? AND slot <= ?",
        [selection.account, end_us // grid.width_us],
    ).fetchall()
    for days in () if slot is None else _NEWEST_DAYS:
        start_us = slot * grid.width_us - days * MICROSECONDS_PER_DAY
        if start_us > selection.start_us:
            yield start_us
    yield selection.start_us


def _page_of(
    cursor: duckdb.DuckDBPyConnection,
    account: int,
    few: list[_Found],
    *,
    limit: int,
    offset: int,
    after: Position | None,
) -> EventPage:
    """A page of events that are all at hand."""
    order = sorted(few, key=lambda found: (found[2], found[1]), reverse=True)
    if after is not None:
        position = (after.timestamp_us, UUID(bytes=after.key))
        order = [found for found in order if (found[2], found[1]) < position]
    return _page(cursor, account, order[offset : offset + limit + 1], limit=limit, total=len(few))


def _page(
    cursor: duckdb.DuckDBPyConnection,
    account: int,
    found: list[_Found],
    *,
    limit: int,
    total: int,
) -> EventPage:
    """The events of a page, of which one more than fit are found where there is one."""
    events = rows.read_found(cursor, account, [(rowid, uuid) for rowid, uuid, _ in found[:limit]])
    last = found[: len(events)][-1:] if len(found) > limit else []
    position = Position(last[0][2], last[0][1].bytes) if last else None
    return EventPage(events=events, total=total, next_position=position)


def _newest(
    cursor: duckdb.DuckDBPyConnection, matching: Clause, *, limit: int, offset: int
) -> list[_Found]:
    return cursor.execute(
        f"SELECT rowid, id, ts FROM {matching.text}"  # noqa: S608
        " ORDER BY ts DESC, id DESC LIMIT ? OFFSET ?",
        [*matching.values, limit, offset],
    ).fetchall()


def scan_events(
    database: Database, where: EventFilter, *, limit: int, after: Position | None
) -> list[Event]:
    """Events from the oldest on."""

    def find(cursor: duckdb.DuckDBPyConnection) -> list[Event]:
        selection = select(cursor, where)
        if selection.nothing:
            return []
        matching = selection.events(selection.start_us, selection.end_us)
        if after is not None:
            matching &= Clause(
                "ts >= ? AND (ts > ? OR id > ?)",
                (after.timestamp_us, after.timestamp_us, UUID(bytes=after.key)),
            )
        found = cursor.execute(
            f"SELECT rowid, id FROM {matching.text} ORDER BY ts, id LIMIT ?",  # noqa: S608
            [*matching.values, limit],
        ).fetchall()
        events: list[Event] = []
        for start in range(0, len(found), _SCAN_SLICE_EVENTS):
            part = found[start : start + _SCAN_SLICE_EVENTS]
            events += rows.read_found(cursor, where.account, part)
        return events

    return _while_rows_stay(database, find, timed=False)


def _older_than(position: Position) -> Clause:
    return Clause(
        "ts <= ? AND (ts < ? OR id < ?)",
        (position.timestamp_us, position.timestamp_us, UUID(bytes=position.key)),
    )


def _find_window(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    grid: rollup.Rollup | None,
    *,
    limit: int,
    offset: int,
    after: Position | None,
) -> _Window:
    """Count by slot of the grid, and find the slots of the page (and of the event after it).

    Without a grid that can answer it is counted by day.
    """
    if grid is not None:
        known = rollup.covered(cursor, selection.account)
        span_us = (selection.start_us, selection.end_us)
        pieces = rollup.parts(cursor, selection, grid, known, span_us)
    else:
        grid = rollup.ENTITY_DAY
        pieces = [rollup.events_part(selection, selection.start_us, selection.end_us)]
    counts = " UNION ALL ".join(
        f"SELECT {grid.column if piece.rolled else grid.of_ts} AS slot,"  # noqa: S608
        f" {_COUNTED[selection.success] if piece.rolled else 'count(*)'} AS n"
        f" FROM {piece.rows.text} GROUP BY slot"
        for piece in pieces
    )
    values: list[object] = [value for piece in pieces for value in piece.rows.values]
    # With a position, its own slot may lie on both sides of it: the slots below it must suffice.
    top = None if after is None else after.timestamp_us // grid.width_us
    found = cursor.execute(
        f"""WITH counted AS MATERIALIZED (
            SELECT slot, sum(n)::BIGINT AS n FROM ({counts}) GROUP BY slot HAVING sum(n) > 0),
        placed AS (
            SELECT slot, n, CASE WHEN slot = ? THEN 0 ELSE n END AS certain,
            sum(certain) OVER (ORDER BY slot DESC) AS upto
            FROM counted WHERE ? IS NULL OR slot <= ?)
        SELECT (SELECT sum(n) FROM counted), min(slot), max(slot), min(upto - certain)
        FROM placed WHERE (upto > ? OR slot = ?) AND upto - certain < ?""",  # noqa: S608
        [*values, top, top, top, offset, top, offset + limit + 1],
    ).fetchall()
    total, first, last, before = found[0]
    if after is not None:
        # Everything from the position down to the first slot is sorted: nothing was skipped.
        return _Window(total or 0, first, top if first is not None else None, 0)
    return _Window(total or 0, first, last, before or 0)
