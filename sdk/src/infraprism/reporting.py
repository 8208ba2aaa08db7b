"""What the server is told of the counts: numbers to add, each report once however often it is sent.

One report is under way at a time, with a key of its own; a report that failed is sent again as it
was, and what happened since waits for the next one.
"""

from __future__ import annotations

import json
import platform
import time
import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

from infraprism._version import __version__
from infraprism.counters import Counters, Counts

LOSS_SECONDS: Final = 60.0
"""Between two reports when something was dropped."""
USUAL_SECONDS: Final = 600.0
"""Between two reports when nothing was; the server's rate limit is shared with everybody else."""
RETRY_SECONDS: Final = 60.0

Send = Callable[[bytes, str], bool]
"""Posts a body with an idempotency key; whether the server took it."""


class _Report(NamedTuple):
    key: str
    body: bytes
    up_to: Counts


class Reports:
    """What was reported of one process's counters. Owned by the upload thread."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters
        self._clock = clock
        self._reported = Counters().snapshot()
        self._under_way: _Report | None = None
        self._not_before = 0.0
        self._usual_at = clock() + LOSS_SECONDS

    def send(self, post: Send, *, closing: bool = False) -> None:
        """Report if it is time, or if the process ends and there is anything to say."""
        now = self._clock()
        if now < self._not_before and not closing:
            return
        report = self._under_way or self._next(now, closing=closing)
        if report is None:
            return
        self._under_way = report
        if post(report.body, report.key):
            self._reported, self._under_way = report.up_to, None
            self._not_before, self._usual_at = now + LOSS_SECONDS, now + USUAL_SECONDS
            if closing:
                self.send(post, closing=True)  # what happened since that report was made
        else:
            self._not_before = now + RETRY_SECONDS

    def _next(self, now: float, *, closing: bool) -> _Report | None:
        counts = self._counters.snapshot()
        news = counts.since(self._reported)
        lost = bool(news.dropped or news.fields_dropped)
        if not (lost or ((news.queued or news.sent) and (closing or now >= self._usual_at))):
            return None
        body = {
            "version": __version__,
            "runtime": f"python {platform.python_version()}",
            "queued": news.queued,
            "sent": news.sent,
            "dropped": news.dropped,
            "fields_dropped": news.fields_dropped,
        }
        return _Report(f"rpt-{uuid.uuid4()}", json.dumps(body).encode(), counts)
