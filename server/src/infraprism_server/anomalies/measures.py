"""What /metrics tells of anomalies."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from infraprism_server.anomalies.store import count_by_status


class AnomalyCollector(Collector):
    """Anomalies by status, of all accounts, when /metrics is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "infraprism_anomalies", "Anomalies recorded, by status.", labels=["status"]
        )
        with self._engine.connect() as connection:
            for status, count in count_by_status(connection):
                family.add_metric([status], count)
        yield family
