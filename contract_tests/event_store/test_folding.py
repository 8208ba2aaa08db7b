"""When the sums made beforehand are made, and what a range whose ends lie inside a cell counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from contract_tests.event_store.engines import INSTANCE
from contract_tests.event_store.samples import NOON, event
from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, SystemClock
from infraprism_server.event_store.contract import EventFilter, UsageQuery
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.rollup import Covered, covered, folded_extent
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

_MIDNIGHT = NOON - 12 * MICROSECONDS_PER_HOUR


def opened(folder: Path, folding: Folding) -> tuple[Database, DuckDBEventStore]:
    database = Database(folder, instance_id=INSTANCE, memory_limit_mb=256, threads=1)
    return database, DuckDBEventStore(
        database, clock=SystemClock(), max_waiting_events=1_000, folding=folding
    )


@pytest.fixture
def resting(tmp_path: Path) -> Iterator[tuple[Database, DuckDBEventStore]]:
    """A store that folds a tail of more than three events as soon as nothing arrives."""
    database, store = opened(tmp_path, Folding(resting_events=3, resting_seconds=0.0))
    yield database, store
    store.close(10)


def known(database: Database, account: int = 1) -> Covered:
    with database.snapshot() as cursor:
        return covered(cursor, account)


def test_a_tail_that_stands_is_folded_while_nothing_arrives(
    resting: tuple[Database, DuckDBEventStore],
) -> None:
    database, store = resting
    store.append(1, [event(number) for number in range(10)]).result(10)
    deadline = time.monotonic() + 20
    while not known(database).whole:
        assert time.monotonic() < deadline, "the tail was never folded"
        time.sleep(0.02)
    page = store.usage(UsageQuery(filter=EventFilter(account=1), bounds_us=(0, NOON * 2)))
    assert page.totals.events == 10


def test_a_short_tail_is_left_to_the_readers(
    resting: tuple[Database, DuckDBEventStore],
) -> None:
    database, store = resting
    store.append(1, [event(number) for number in range(3)]).result(10)
    time.sleep(0.3)
    assert not known(database).whole
    assert known(database, account=2).whole, "the tail of another account"


def test_when_a_tail_is_due() -> None:
    folding = Folding(after_events=100, resting_events=10, resting_seconds=30.0)
    assert folding.due_in(1_000.0) is None
    folding.appended(1, 11)
    assert folding.due_in(1_001.0) == 29.0
    folding.appended(2, 80)
    assert folding.due_in(1_030.0) == 0.0
    folding.appended(3, 10)
    assert folding.due_in(1_001.0) == 0.0


def test_a_tail_found_at_the_start_is_due_at_once() -> None:
    folding = Folding(after_events=100, resting_events=10, resting_seconds=30.0)
    folding.appended(1, 11)
    assert folding.due_in(1_000.0) == 0.0


@pytest.mark.parametrize("tail", [False, True], ids=["folded", "with a tail"])
def test_a_range_that_ends_inside_a_day_counts_exactly_its_events(
    tmp_path: Path, tail: bool
) -> None:
    hours = [8, 13, 20, 33, 40]
    events = [
        event(number, timestamp_us=_MIDNIGHT + hour * MICROSECONDS_PER_HOUR)
        for number, hour in enumerate(hours)
    ]
    database, store = opened(tmp_path, Folding(after_events=0))
    store.append(1, events[:-1]).result(10)
    if tail:
        store.close(10)
        database, store = opened(tmp_path, Folding())
    store.append(1, events[-1:]).result(10)
    # An append after it: what was due is folded before it is taken.
    store.append(2, events[:1]).result(10)
    assert known(database).whole is not tail
    assert known(database).commit_no > 0
    for start, end in product(range(-1, 50, 7), range(-1, 50, 7)):
        if start >= end:
            continue
        first, last = (_MIDNIGHT + hour * MICROSECONDS_PER_HOUR for hour in (start, end))
        days = [
            _MIDNIGHT + day * MICROSECONDS_PER_DAY
            for day in range(-1, 4)
            if first < _MIDNIGHT + day * MICROSECONDS_PER_DAY < last
        ]
        bounds = (first, *days, last)
        wanted = {
            bucket: count
            for bucket in range(len(bounds) - 1)
            if (
                count := sum(
                    bounds[bucket] <= each.timestamp_us < bounds[bucket + 1] for each in events
                )
            )
        }
        for group_by in ((), ("model",), ("entity_id",)):
            page = store.usage(
                UsageQuery(
                    filter=EventFilter(account=1, start_us=first, end_us=last),
                    bounds_us=bounds,
                    group_by=group_by,
                )
            )
            assert {row.bucket: row.sums.events for row in page.rows} == wanted
            assert page.totals.events == sum(wanted.values())
    store.close(10)


def test_the_extent_of_what_is_folded(tmp_path: Path) -> None:
    database, store = opened(tmp_path, Folding(after_events=0))
    with database.snapshot() as cursor:
        assert folded_extent(cursor, 1) is None
    events = [
        event(0, timestamp_us=NOON + 7, entity_type=None, entity_id=None),
        event(1, timestamp_us=NOON + 3 * MICROSECONDS_PER_DAY),
        event(2, timestamp_us=NOON + 3 * MICROSECONDS_PER_DAY + 5),
    ]
    store.append(1, events).result(10)
    store.append(2, [event(9, timestamp_us=1_000_000)]).result(10)
    with database.snapshot() as cursor:
        assert folded_extent(cursor, 1) == (events[0].timestamp_us, events[2].timestamp_us)
    assert store.find_extent(1) == (events[0].timestamp_us, events[2].timestamp_us)
    store.close(10)
