"""Costs by entity and hour, read as columns from the events themselves, at an easy pace.

Nobody waits for it, but it looks at every event of weeks: it is read in slices of time with a rest
after each, so that what somebody does wait for never stands behind more than a slice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import duckdb
import numpy as np

from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.duckdb import rollup
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.filters import Clause, Selection, one_of, select
from infraprism_server.event_store.hourly_costs import HourlyCosts

_LONGEST_REST_SECONDS: Final = 0.25
_QUARTERS_AN_HOUR: Final = MICROSECONDS_PER_HOUR // rollup.QUARTER.width_us

_NAMES: Final = """
    SELECT n.entity_type, n.entity_id, s.first_us FROM entities n JOIN (
        SELECT entity_code, min(first_us) AS first_us FROM (
            SELECT entity_code, first_us FROM rollup_entity
            WHERE account = ? AND entity_code BETWEEN ? AND ?
            UNION ALL SELECT entity_code, ts FROM events
            WHERE account = ? AND commit_no > ? AND entity_code BETWEEN ? AND ?
        ) GROUP BY entity_code
    ) s ON s.entity_code = n.code
    WHERE n.account = ? AND n.code IN (SELECT unnest(?::INTEGER[])) ORDER BY n.code
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the events are read."""

    events: int = 100_000
    """At once: some 15 ms."""
    rest: float = 1.0
    """Pause after each, in parts of the time it took."""


def hourly_costs(
    database: Database,
    account: int,
    start_us: int,
    end_us: int,
    *,
    at_least_pico: int,
    page: int,
    entities: int,
    pace: Pace,
) -> HourlyCosts:
    """A page of entities, by code; `page` is the code it starts at."""
    with database.snapshot(timed=False) as cursor:
        selection = select(cursor, EventFilter(account=account, start_us=start_us, end_us=end_us))
        known = rollup.covered(cursor, account)
        found = _chosen(
            cursor,
            selection,
            known,
            first_code=page,
            at_least_pico=at_least_pico,
            most=entities + 1,
        )
        codes = found[:entities]
        if not codes:
            nothing = np.zeros(0, dtype=np.int64)
            return HourlyCosts([], [], nothing, nothing, nothing.astype(float), nothing, None)
        ends = [codes[0], codes[-1]]
        names = cursor.execute(
            _NAMES, [account, *ends, account, known.commit_no, *ends, account, codes]
        ).fetchall()
        of_codes = replace(selection, chosen=(one_of("entity_code", codes),))
        slices = _slices(_events_by_hour(cursor, selection), start_us, end_us, pace.events)
        rows = [_hours(database, cursor, of_codes, span_us, pace) for span_us in slices]
    columns = {name: np.concatenate([each[name] for each in rows]) for name in rows[0]}
    return HourlyCosts(
        entities=[(kind, name) for kind, name, _ in names],
        first_seen_us=[int(first) for *_, first in names],
        entity=np.searchsorted(codes, np.asarray(columns["entity"], dtype=np.int64)),
        hour=np.asarray(columns["hour"], dtype=np.int64),
        cost_pico=np.asarray(columns["cost_pico"], dtype=np.float64),
        events=np.asarray(columns["events"], dtype=np.int64),
        next_page=found[entities] if len(found) > entities else None,
    )


def _chosen(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    known: rollup.Covered,
    *,
    first_code: int,
    at_least_pico: int,
    most: int,
) -> list[int]:
    """The codes of entities that cost enough, from the sums by day and what they do not hold."""
    from_code = selection.codes & Clause("entity_code >= ?", (first_code,))
    pieces = rollup.parts(
        cursor,
        replace(selection, codes=from_code),
        rollup.ENTITY_DAY,
        known,
        (selection.start_us, selection.end_us),
    )
    costs = " UNION ALL ".join(
        f"SELECT entity_code, sum(cost_pico) AS cost_pico FROM {piece.rows.text}"  # noqa: S608
        " GROUP BY entity_code"
        for piece in pieces
    )
    found = cursor.execute(
        f"SELECT entity_code FROM ({costs}) GROUP BY entity_code HAVING sum(cost_pico) >= ?"  # noqa: S608
        " ORDER BY entity_code LIMIT ?",
        [*(value for piece in pieces for value in piece.rows.values), at_least_pico, most],
    ).fetchall()
    return [int(code) for (code,) in found]


def _events_by_hour(
    cursor: duckdb.DuckDBPyConnection, selection: Selection
) -> list[tuple[int, int]]:
    """Hours, ascending, and about how many events each has: those that are folded."""
    first, last = (us // rollup.QUARTER.width_us for us in (selection.start_us, selection.end_us))
    return cursor.execute(
        f"SELECT slot // {_QUARTERS_AN_HOUR} AS hour, sum(events) FROM rollup_quarter"  # noqa: S608
        " WHERE account = ? AND slot >= ? AND slot < ? GROUP BY hour ORDER BY hour",
        [selection.account, first, last],
    ).fetchall()


def _slices(
    hours: Iterable[tuple[int, int]], start_us: int, end_us: int, most: int
) -> Iterator[tuple[int, int]]:
    """The range in parts that begin with an hour and have about so many events, ascending."""
    edges, together = [start_us], 0
    for hour, events in hours:
        if together and together + events > most:
            edges.append(hour * MICROSECONDS_PER_HOUR)
            together = 0
        together += events
    return pairwise([*edges, end_us])


def _hours(
    database: Database,
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    span_us: tuple[int, int],
    pace: Pace,
) -> dict[str, np.ndarray]:
    """The columns of a slice, and a rest after all but the last."""
    matching = selection.events(*span_us)
    with database.long_reads.patient_turn():
        began = time.monotonic()
        found = cursor.execute(
            f"SELECT entity_code AS entity, ts // {MICROSECONDS_PER_HOUR} AS hour,"  # noqa: S608
            " sum(cost_pico)::DOUBLE AS cost_pico, count(*) AS events"
            f" FROM {matching.text} GROUP BY entity_code, hour",
            matching.values,
        ).fetchnumpy()
        taken = time.monotonic() - began
    if span_us[1] < selection.end_us:
        time.sleep(min(_LONGEST_REST_SECONDS, pace.rest * taken))
    return found
