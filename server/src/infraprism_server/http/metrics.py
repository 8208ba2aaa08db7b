"""Prometheus metrics of the HTTP layer; labels hold routes and statuses, no account's text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_METHODS = frozenset({"GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"})
_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RequestMetrics:
    """Counts and durations by route template."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "infraprism_http_requests",
            "HTTP requests by route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "infraprism_http_request_seconds",
            "Time to answer by route.",
            ["method", "route"],
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        # A method is the client's text: unknown ones share a label, so that they stay bounded.
        label = method if method in _METHODS else "other"
        self._requests.labels(label, route, str(status)).inc()
        self._seconds.labels(label, route).observe(seconds)
