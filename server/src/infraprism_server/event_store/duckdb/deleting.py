"""Deleting and stripping events: a slice of time at once, with every sum, in one commit.

What a slice takes is planned beside the writer, from counts by quarter hour, so that the writer's
thread only does what is bounded: it deletes some ten thousand rows and makes the cells that they
were in anew. Cells of quarter hours are subtracted from; cells of a day, which know their first and
last event, are summed again from what is left of the days of the slice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import duckdb

from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.duckdb import tag_sums
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.filters import Clause, Selection, select
from infraprism_server.event_store.duckdb.rollup import DAY_OF_TS, QUARTER, QUARTER_OF_TS
from infraprism_server.event_store.duckdb.sums import (
    EVENT_SUMS,
    NEGATED_SUMS,
    ROLLUP_SUMS,
    SUM_NAMES,
)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of time, and how many events of it matched when it was planned."""

    start_us: int
    end_us: int
    events: int


@dataclass(frozen=True, slots=True)
class Slicing:
    """How much one commit may take, which bounds how long others wait for it."""

    events: int = 20_000
    """Deleted at once."""
    looked_at: int = 500_000
    """Of the account, in the time of a slice: they are looked through for those that match."""
    rest: float = 1.0
    """Pause after each, in parts of the time it took: that belongs to ingest."""


def plan(database: Database, where: EventFilter, slicing: Slicing) -> list[Slice]:
    """Slices, oldest first, that hold every matching event of this moment."""
    with database.snapshot(timed=False) as cursor, database.long_reads.patient_turn():
        selection = select(cursor, where)
        if selection.nothing or selection.start_us >= selection.end_us:
            return []
        condition = selection.condition(selection.start_us, selection.end_us)
        found = cursor.execute(
            f"SELECT {QUARTER_OF_TS} AS slot, count(*) FILTER ({condition.text}) AS matching,"  # noqa: S608
            " count(*) FROM events WHERE account = ? AND ts >= ? AND ts < ?"
            " GROUP BY slot ORDER BY slot",
            [*condition.values, where.account, selection.start_us, selection.end_us],
        ).fetchall()
    return [
        Slice(
            max(each.start_us, selection.start_us), min(each.end_us, selection.end_us), each.events
        )
        for each in _slices(found, slicing.events, slicing.looked_at)
    ]


def _slices(slots: list[tuple[int, int, int]], most: int, looked_at: int) -> Iterator[Slice]:
    """Slots (number, events that match, events) together while they are few in both."""
    first = last = matching = events = 0
    for slot, match, count in slots:
        if matching and (matching + match > most or (match and events + count > looked_at)):
            yield from _pieces(first, last, matching, most)
            matching = 0
        if match and not matching:
            first, events = slot, 0
        if matching or match:
            events += count
        if match:
            last, matching = slot, matching + match
    if matching:
        yield from _pieces(first, last, matching, most)


def _pieces(first: int, last: int, events: int, most: int) -> Iterator[Slice]:
    """One slice; or several when a single slot has more than a slice may."""
    start_us, end_us = first * QUARTER.width_us, (last + 1) * QUARTER.width_us
    pieces = -(-events // most)
    edges = [start_us + (end_us - start_us) * place // pieces for place in range(pieces + 1)]
    for place in range(pieces):
        yield Slice(edges[place], edges[place + 1], events // pieces)


def count(connection: duckdb.DuckDBPyConnection, selection: Selection, part: Slice) -> int:
    """How many events of a slice match."""
    doomed = selection.condition(part.start_us, part.end_us)
    ((events,),) = connection.execute(
        f"SELECT count(*) FROM events WHERE {doomed.text}",  # noqa: S608
        list(doomed.values),
    ).fetchall()
    return int(events)


def delete_slice(
    connection: duckdb.DuckDBPyConnection, selection: Selection, part: Slice, watermark: int
) -> None:
    """Delete the matching events of a slice and correct the sums, in the caller's transaction."""
    doomed = selection.condition(part.start_us, part.end_us)
    account = selection.account
    days = _days(part)
    slots = (part.start_us // QUARTER.width_us, -(-part.end_us // QUARTER.width_us))
    days_us = tuple(day * MICROSECONDS_PER_DAY for day in days)
    run = connection.execute
    run(
        "CREATE OR REPLACE TEMP TABLE touched AS"  # noqa: S608
        f" SELECT DISTINCT coalesce(entity_code, 0) AS code FROM events WHERE {doomed.text}",
        list(doomed.values),
    )
    run(_QUARTERS.format(doomed=doomed.text), [account, *slots, *doomed.values, watermark])
    run(_LEFT.format(doomed=doomed.text), [account, *doomed.values, watermark])
    tag_sums.subtract(connection, account, days, doomed, watermark)
    run(f"DELETE FROM events WHERE {doomed.text}", list(doomed.values))  # noqa: S608
    run(
        "DELETE FROM rollup_quarter WHERE account = ? AND slot >= ? AND slot < ?", [account, *slots]
    )
    run("INSERT INTO rollup_quarter SELECT * FROM quarters")
    run(
        f"DELETE FROM rollup_entity_day WHERE account = ?"  # noqa: S608
        f" AND day >= ? AND day < ? AND {_TOUCHED}",
        [account, *days],
    )
    run(_DAYS, [account, *days_us, watermark])
    run(f"DELETE FROM rollup_entity WHERE account = ? AND {_TOUCHED}", [account])  # noqa: S608
    run(_ENTITIES, [account])
    run("DROP TABLE touched")
    run("DROP TABLE quarters")
    run("DROP TABLE remaining")


def strip_slice(
    connection: duckdb.DuckDBPyConnection, selection: Selection, part: Slice, watermark: int
) -> int:
    """Take tags and session ids from the matching events of a slice; how many had any."""
    chosen = selection.condition(part.start_us, part.end_us) & Clause(
        "(tag_code IS NOT NULL OR session_id IS NOT NULL)"
    )
    tag_sums.strip(connection, selection.account, _days(part), chosen, watermark)
    ((changed,),) = connection.execute(
        f"UPDATE events SET tag_code = NULL, session_id = NULL WHERE {chosen.text}",  # noqa: S608
        list(chosen.values),
    ).fetchall()
    return int(changed)


def _days(part: Slice) -> tuple[int, int]:
    """The first day of a slice, and the one after its last."""
    return part.start_us // MICROSECONDS_PER_DAY, -(-part.end_us // MICROSECONDS_PER_DAY)


# 0 is no entity's code: they begin with 1.
_TOUCHED: Final = "coalesce(entity_code, 0) IN (SELECT code FROM touched)"

_QUARTERS: Final = f"""
    CREATE OR REPLACE TEMP TABLE quarters AS
    SELECT account, slot, model_code, true AS merged, {ROLLUP_SUMS} FROM (
        SELECT account, slot, model_code, {SUM_NAMES} FROM rollup_quarter
        WHERE account = ? AND slot >= ? AND slot < ?
        UNION ALL SELECT account, slot, model_code, {NEGATED_SUMS} FROM (
            SELECT account, {QUARTER_OF_TS} AS slot, model_code, {EVENT_SUMS}
            FROM events WHERE {{doomed}} AND commit_no <= ? GROUP BY account, slot, model_code)
    ) GROUP BY account, slot, model_code HAVING sum(events) > 0 ORDER BY slot, model_code
"""  # noqa: S608
"""What is left of the quarter hours: a sum over no events is no row."""

_DAYS: Final = f"""
    INSERT INTO rollup_entity_day
    SELECT account, {DAY_OF_TS} AS day, entity_code, model_code, true, min(ts), max(ts),
    {EVENT_SUMS} FROM events
    WHERE account = ? AND ts >= ? AND ts < ? AND commit_no <= ? AND {_TOUCHED}
    GROUP BY account, day, entity_code, model_code
"""  # noqa: S608

_LEFT: Final = f"""
    CREATE OR REPLACE TEMP TABLE remaining AS
    SELECT account, entity_code, {ROLLUP_SUMS} FROM (
        SELECT account, entity_code, {SUM_NAMES} FROM rollup_entity
        WHERE account = ? AND {_TOUCHED}
        UNION ALL SELECT account, entity_code, {NEGATED_SUMS} FROM (
            SELECT account, entity_code, {EVENT_SUMS} FROM events
            WHERE {{doomed}} AND commit_no <= ? AND entity_code IS NOT NULL
            GROUP BY account, entity_code)
    ) GROUP BY account, entity_code HAVING sum(events) > 0
"""  # noqa: S608

_ENTITIES: Final = f"""
    INSERT INTO rollup_entity
    SELECT r.account, r.entity_code, true, d.first_us, d.last_us, {SUM_NAMES}
    FROM remaining r JOIN (
        SELECT entity_code, min(first_us) AS first_us, max(last_us) AS last_us
        FROM rollup_entity_day WHERE account = ? AND {_TOUCHED} GROUP BY entity_code
    ) d ON d.entity_code = r.entity_code ORDER BY r.entity_code
"""  # noqa: S608
"""Sums are subtracted from; only the first and the last event are looked up by day."""
