"""Reads beside deletions: a checkpoint closes the gaps, and rows that stay get other places."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from contract_tests.event_store.engines import INSTANCE, open_duckdb_eager
from contract_tests.event_store.samples import NOON, event
from infraprism_server.clock import SystemClock
from infraprism_server.errors import Unavailable
from infraprism_server.event_store.contract import Event, EventFilter, EventStore
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.deleting import Slicing
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

_BATCH_EVENTS = 400
_KEPT = [
    event(1_000_000 + number, timestamp_us=NOON + 10**12 + number * 1_000_000)
    for number in range(40)
]


class Moving(Database):
    """The first so many times that rows are read by their numbers, they were numbered anew."""

    moves = 0

    @contextmanager
    def snapshot(self, *, timed: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor through which rows seem to move."""
        with super().snapshot(timed=timed) as cursor:
            cursor.execute("SET python_scan_all_frames = true")  # tables of our caller's caller
            yield cast("duckdb.DuckDBPyConnection", _MovingCursor(self, cursor))


@dataclass
class _MovingCursor:
    database: Moving
    cursor: duckdb.DuckDBPyConnection

    def execute(self, query: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        if "rowid IN" in query and self.database.moves:
            self.database.moves -= 1
            values = [*values[:-1], [rowid + 1 for rowid in values[-1]]]
        return self.cursor.execute(query, values)


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[tuple[Moving, EventStore]]:
    database = Moving(tmp_path, instance_id=INSTANCE, memory_limit_mb=256, threads=1)
    store = DuckDBEventStore(
        database, clock=SystemClock(), max_waiting_events=1_000, folding=Folding()
    )
    store.append(1, _KEPT).result(10)
    yield database, store
    store.close(10)


def test_rows_that_moved_between_two_statements_are_looked_for_again(
    moving: tuple[Moving, EventStore],
) -> None:
    database, store = moving
    where = EventFilter(account=1)
    for chosen in (_KEPT[3], _KEPT[-1]):
        database.moves = 2
        assert store.find_event(1, chosen.id) == chosen
        database.moves = 2
        assert store.list_events(where, limit=5).events == _KEPT[:-6:-1]
        database.moves = 2
        assert store.scan_events(where, limit=5) == _KEPT[:5]
        assert database.moves == 0


def test_rows_that_move_for_ever_are_a_clear_refusal(moving: tuple[Moving, EventStore]) -> None:
    database, store = moving
    database.moves = 1_000
    with pytest.raises(Unavailable, match="being deleted"):
        store.find_event(1, _KEPT[3].id)


def _batch(first: int) -> list[Event]:
    return [
        event(first + number, timestamp_us=NOON + (first + number) * 1_000_000, entity_id="gone")
        for number in range(_BATCH_EVENTS)
    ]


def _read_until(store: EventStore, done: threading.Event) -> int:
    """Whatever is read of what stays is whole, every time; how often it was read."""
    where = EventFilter(account=1, entity_type="customer", entity_id="acme")
    reads = 0
    while not done.is_set():
        chosen = _KEPT[reads % len(_KEPT)]
        assert store.find_event(1, chosen.id) == chosen
        if reads % 10 == 0:
            assert store.list_events(where, limit=100).events == _KEPT[::-1]
            assert store.scan_events(where, limit=100) == _KEPT
        reads += 1
    return reads


def test_what_stays_is_read_whole_while_the_gaps_of_deletions_close(tmp_path: Path) -> None:
    store = open_duckdb_eager(tmp_path, Slicing(rest=0))
    store.append(1, _batch(0)).result(10)
    store.append(1, _KEPT).result(10)
    done = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(_read_until, store, done) for _ in range(2)]
        try:
            for number in range(8):
                store.append(1, _batch((number + 1) * _BATCH_EVENTS)).result(10)
                end_us = NOON + (number + 1) * _BATCH_EVENTS * 1_000_000 - 100
                store.delete_events(EventFilter(account=1, end_us=end_us), lambda _: None)
        finally:
            done.set()
        assert all(reader.result() for reader in readers)
    store.close(10)
