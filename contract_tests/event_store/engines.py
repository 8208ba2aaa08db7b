"""The engines under test, each with the settings that make its hidden machinery show itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infraprism_server.clock import SystemClock
from infraprism_server.event_store.contract import EventStore
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.deleting import Slicing
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.hourly import Pace
from infraprism_server.event_store.duckdb.recent_ids import RecentIds
from infraprism_server.event_store.duckdb.store import DuckDBEventStore, open_event_store

INSTANCE = "ins_test"

Opener = Callable[[Path], EventStore]


def open_duckdb(folder: Path) -> DuckDBEventStore:
    """As it is shipped."""
    return open_event_store(
        folder, instance_id=INSTANCE, clock=SystemClock(), memory_limit_mb=256, threads=2
    )


_SMALL_SLICES = Slicing(events=3, looked_at=10, rest=0)


def open_duckdb_eager(folder: Path, slices: Slicing = _SMALL_SLICES) -> DuckDBEventStore:
    """Folds, merges and checkpoints all the time, remembers hardly a code: answers are the same."""
    database = Database(
        folder,
        instance_id=INSTANCE,
        memory_limit_mb=256,
        threads=2,
        checkpoint_threshold="256KB",
    )
    return DuckDBEventStore(
        database,
        clock=SystemClock(),
        max_waiting_events=100_000,
        folding=Folding(after_events=5, chunk_events=4, loose_rows=1, merge_every_folds=1),
        dictionaries=Dictionaries(most_models=2, most_entities=2, most_tag_sets=2),
        recent=RecentIds(most=4),
        slices=slices,
        pace=Pace(events=7, rest=0),
    )


ENGINES: dict[str, Opener] = {"duckdb": open_duckdb, "duckdb-eager": open_duckdb_eager}
