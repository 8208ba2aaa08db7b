"""The watch's two threads: one adds what was committed and tells, one reads sums anew."""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog

from infraprism_server.limits.ledger import Ledger
from infraprism_server.limits.watch import LimitWatch

CATCH_UP_SECONDS: Final = 0.1
RING_SECONDS: Final = 0.5
"""Between two looks at what was touched: with a fifth of a second for both stores far below 5."""
SWEEP_SECONDS: Final = 60.0
STALE_SECONDS: Final = 1.0
"""Between two looks for repriced accounts."""
_REST: Final = 10
"""A sweep is followed by ten times its duration of rest, so that it never takes a core."""

log = structlog.get_logger(__name__)


class LimitWorker:
    """Watches limits until stopped."""

    def __init__(self, watch: LimitWatch, ledger: Ledger) -> None:
        self._watch = watch
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._ring, name="limits", daemon=True),
            threading.Thread(target=self._sweep, name="limits-sweep", daemon=True),
        ]

    def start(self) -> None:
        """Begin to read and to watch."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Finish what is under way; what is not told is told after the next start."""
        self._stopping.set()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _ring(self) -> None:
        due = 0.0
        while not self._stopping.wait(CATCH_UP_SECONDS):
            try:
                self._ledger.catch_up()
                if time.monotonic() >= due:
                    self._watch.ring()
                    due = time.monotonic() + RING_SECONDS
            except Exception:  # a store may be away for a while; the watch must outlive that
                log.exception("limits could not be compared")
                due = time.monotonic() + 2 * RING_SECONDS

    def _sweep(self) -> None:
        rest = 0.0
        due = time.monotonic()
        while not self._stopping.wait(rest):
            rest = STALE_SECONDS
            began = time.monotonic()
            try:
                if began >= due:
                    self._watch.sweep()
                    due = time.monotonic() + SWEEP_SECONDS
                elif stale := self._ledger.take_stale():
                    self._watch.sweep(stale)
            except Exception:
                if not self._stopping.is_set():
                    log.exception("the sums of limits could not be read")
                due = 0.0  # everything, at the next turn
            took = time.monotonic() - began
            if took > STALE_SECONDS / _REST:
                rest = max(rest, took * _REST)
