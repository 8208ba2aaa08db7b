"""What /metrics tells of limits; labels hold kinds, no account's text."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from infraprism_server.limits.ledger import Ledger


class LimitMeasures:
    """Counts the alerts that were sent; the rest is read from the ledger when it is asked."""

    def __init__(self, registry: CollectorRegistry, ledger: Ledger) -> None:
        self._alerts = Counter(
            "infraprism_limit_alerts",
            "Alerts of limits sent, by type.",
            ["type"],
            registry=registry,
        )
        for kind in ("limit.reached", "limit.approaching"):
            self._alerts.labels(kind)
        registry.register(_LedgerCollector(ledger))

    def sent(self, kind: str) -> None:
        self._alerts.labels(kind).inc()


class _LedgerCollector(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("infraprism_limits", "Limits.", value=self._ledger.count())
        yield GaugeMetricFamily(
            "infraprism_limit_evaluation_lag_seconds",
            "How long the oldest event waits that no limit has been compared with.",
            value=self._ledger.lag_seconds(),
        )
