"""The event store of a folder, as the tests of several features open it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from infraprism_server.clock import Clock
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.event_store.duckdb.store import DuckDBEventStore, open_event_store


def open_events(folder: Path, engine: Engine, clock: Clock) -> DuckDBEventStore:
    """With as much memory as a test needs. Making its tables takes most of the time."""
    return open_event_store(
        folder,
        instance_id=ensure_installation(engine, clock.now_us()).instance_id,
        clock=clock,
        memory_limit_mb=256,
        threads=2,
    )
