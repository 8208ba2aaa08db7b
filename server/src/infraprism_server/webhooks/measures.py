"""What /metrics tells of webhooks; labels hold outcomes, no account's text."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from infraprism_server.background import outbox
from infraprism_server.webhooks import deliveries
from infraprism_server.webhooks.attempt import Attempt

_BUCKETS_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class DeliveryMeasures:
    """Counts attempts by outcome, and how long they took."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "infraprism_webhook_attempts",
            "Attempts to deliver, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "infraprism_webhook_attempt_seconds",
            "How long attempts took.",
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )

    def attempted(self, attempt: Attempt, seconds: float) -> None:
        refused = "no_answer" if attempt.status_code is None else "refused"
        self._attempts.labels("delivered" if attempt.succeeded else refused).inc()
        self._seconds.observe(seconds)


class DeliveryCollector(Collector):
    """What the control store says of deliveries, when /metrics is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._engine.connect() as connection:
            waiting = outbox.count_waiting(connection)
            by_status = deliveries.count_by_status(connection)
        yield GaugeMetricFamily(
            "infraprism_outbox_messages", "Messages not yet given to webhooks.", value=waiting
        )
        family = GaugeMetricFamily(
            "infraprism_webhook_deliveries", "Deliveries kept, by status.", labels=["status"]
        )
        for status in ("pending", "delivered", "failed"):
            family.add_metric([status], by_status.get(status, 0))
        yield family
