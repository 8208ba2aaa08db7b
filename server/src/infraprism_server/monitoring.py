"""What the process tells of itself as a whole: its metrics and whether it is ready."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from infraprism_server.event_store.contract import EventStore
from infraprism_server.http.system_routes import Check


def process_registry(store: EventStore) -> CollectorRegistry:
    """A registry that knows the process and the event store; features add their own."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_StoreCollector(store))
    return registry


def readiness(engine: Engine, store: EventStore) -> list[Check]:
    """What /readyz tells: both stores, and no path or URL of this machine."""
    status = store.status()
    checks = [Check("event store", status.healthy, status.problem or "ok")]
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        checks.append(Check("control store", True, "ok"))
    except SQLAlchemyError:
        checks.append(Check("control store", False, "it does not answer"))
    return checks


class _StoreCollector(Collector):
    """What the event store says of itself, when /metrics is asked."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        status = self._store.status()
        for name, words, value in (
            ("infraprism_events_stored", "Events stored.", status.events),
            ("infraprism_events_waiting", "Events waiting to be committed.", status.waiting_events),
            ("infraprism_event_store_bytes", "Size of the event store.", status.bytes_on_disk),
            ("infraprism_event_store_healthy", "1 when it works.", int(status.healthy)),
        ):
            yield GaugeMetricFamily(name, words, value=value)
