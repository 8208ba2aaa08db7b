"""What /metrics tells of jobs: how many stand where, and how long the oldest has waited."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock


class JobCollector(Collector):
    """What the control store says of jobs, when /metrics is asked. Kinds are ours: few."""

    def __init__(self, jobs: JobQueue, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    def collect(self) -> Iterable[GaugeMetricFamily]:
        counts = GaugeMetricFamily(
            "infraprism_jobs", "Background jobs kept, by status.", labels=["kind", "status"]
        )
        ages = GaugeMetricFamily(
            "infraprism_jobs_oldest_seconds",
            "Age of the oldest job that is queued or running.",
            labels=["kind", "status"],
        )
        now_us = self._clock.now_us()
        for tally in self._jobs.tally():
            labels = [tally.kind, tally.status]
            counts.add_metric(labels, tally.count)
            if tally.oldest_us is not None:
                ages.add_metric(labels, (now_us - tally.oldest_us) / MICROSECONDS_PER_SECOND)
        yield counts
        yield ages
