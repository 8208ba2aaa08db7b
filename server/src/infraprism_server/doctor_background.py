"""What `infraprism doctor` says of jobs, messages and deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, Engine

from infraprism_server.background import outbox
from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import MICROSECONDS_PER_SECOND, SystemClock
from infraprism_server.doctor_finding import Finding, Findings

_LATE_SECONDS: Final = 3_600
"""A job that has waited for longer is worth a look."""


def background_findings(
    engine: Engine, deliveries: Callable[[Connection], Mapping[str, int]], now_us: int
) -> Findings:
    """A line for the jobs of each kind, and one for deliveries, which are counted by status."""
    tallies = JobQueue(engine, SystemClock()).tally()
    for kind in sorted({tally.kind for tally in tallies}):
        mine = [tally for tally in tallies if tally.kind == kind]
        counts = ", ".join(f"{tally.count:,} {tally.status}" for tally in mine)
        oldest = [tally.oldest_us for tally in mine if tally.oldest_us is not None]
        waited = (now_us - min(oldest)) // MICROSECONDS_PER_SECOND if oldest else 0
        text = f"{kind} jobs: {counts}" + (f", the oldest for {waited:,} s" if oldest else "")
        if waited > _LATE_SECONDS:
            yield Finding("jobs", "warn", text, "is the server running? its log names the job")
        elif any(tally.status == "failed" for tally in mine):
            yield Finding("jobs", "warn", text, "the log says why; so does a failed export itself")
        else:
            yield Finding("jobs", "ok", text)
    with engine.connect() as connection:
        untold = outbox.count_waiting(connection)
        stand = deliveries(connection)
    counts = ", ".join(
        f"{stand.get(status, 0):,} {status}" for status in ("pending", "delivered", "failed")
    )
    text = f"deliveries: {counts}; {untold:,} messages not given to them yet"
    if stand.get("failed", 0):
        advice = "GET /v1/webhooks/{id}/deliveries says why; .../redeliver sends one again"
        yield Finding("webhooks", "warn", text, advice)
    else:
        yield Finding("webhooks", "ok", text)
