"""The background thread that sends what was recorded. The host's calls never wait for it."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infraprism.counters import Counters
from infraprism.delivery import Delivery, drain_pause, full_jitter
from infraprism.event import Event
from infraprism.queue import MAX_BYTES, MAX_EVENTS, EventQueue
from infraprism.quiet import log, own_error
from infraprism.reporting import Reports

if TYPE_CHECKING:
    from infraprism.calls import Answered, Call
    from infraprism.limits import KnownLimits
    from infraprism.spool import Spool

BATCH_EVENTS = 500
GATHER_SECONDS = 0.5
ADOPT_SECONDS = 60.0
EXIT_BUDGET_SECONDS = 2.0
_EXIT_MARGIN_SECONDS = 0.4
"""Of the budget, what the interpreter takes for its own end with a provider's client loaded."""
_FULL = 0.8


class Uploader:
    """Queue, thread and counters of one destination. Safe over threads and forks."""

    def __init__(
        self,
        root: str,
        api_key: str,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        gather_seconds: float = GATHER_SECONDS,
        spool_folder: str | None = None,
    ) -> None:
        self._root = root
        self._api_key = api_key
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._gather_seconds = gather_seconds
        self._limits: KnownLimits | None = None
        self._spool_folder = spool_folder
        self._spool: Spool | None = None
        self._start_anew()
        _uploaders.add(self)

    def _start_anew(self) -> None:
        """The state of a process that has recorded nothing: at the start, and in a forked child.

        What the parent had queued stays the parent's to send, so a fork never doubles an event.
        """
        self.counters = Counters()
        if self._spool is not None:
            self._spool.left_by_parent()
        self._spool = self._open_spool()
        self.queue = EventQueue(
            self.counters,
            max_events=self._max_events,
            max_bytes=self._max_bytes,
            came=None if self._spool is None else self._spool.append,
            gave_way=None if self._spool is None else self._spool.settle,
        )
        self._attends_over = -1
        """`record` does no more than to put things down, while no more than this have arrived."""
        self._adopt_after = 0.0
        self._drains = False
        self._delivery = Delivery(self._root, self._api_key, self.counters, self._answered)
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._idle = threading.Condition()
        self._in_flight = 0
        self._closed = threading.Event()
        self._attempt = 0
        self._reports = Reports(self.counters)

    def _open_spool(self) -> Spool | None:
        if self._spool_folder is None:
            return None
        from infraprism.spool import spool_in  # noqa: PLC0415 - few keep one

        return spool_in(self._spool_folder, self._root, self._api_key)

    def known_limits(self, refresh_seconds: float | None = None) -> KnownLimits:
        """What the same server says of limits; asked for by the first client that enforces them."""
        if self._limits is None:
            from infraprism.limits import REFRESH_SECONDS, KnownLimits  # noqa: PLC0415 - few enforce

            pace = REFRESH_SECONDS if refresh_seconds is None else refresh_seconds
            self._limits = KnownLimits(self._root, self._api_key, refresh_seconds=pace)
        return self._limits

    def _answered(self, content: bytes) -> None:
        if self._limits is not None:
            try:
                self._limits.answered(content)
            except Exception as error:  # noqa: BLE001 - the events are with the server
                own_error("reading who is blocked", error)

    def record(self, what: Call | Answered | Event) -> None:
        arrived = self.queue.arrived
        arrived.append(what)
        if len(arrived) > self._attends_over:
            self._attend()

    def _attend(self) -> None:
        """There is no thread yet, or a spool to write to, or enough for a batch."""
        if self._spool is not None:
            self.queue.admit()
        if self._thread is None:
            self._start_thread()
        elif not self._wake.is_set():
            self._wake.set()
        if len(self.queue.arrived) > self.queue.max_arrived:
            self.queue.admit(1)

    def start(self) -> None:
        """Start the thread, if this process has none yet."""
        if self._thread is None:
            self._start_thread()

    def record_later(self, events: Iterator[Event], lines: bytes) -> None:
        """Events that the upload thread makes of lines when there is room for them."""
        self.queue.put_later(events, lines)
        self.start()

    def record_from_finalizer(self, what: Call) -> None:
        """For code the garbage collector runs, at any instruction: takes no lock at all."""
        self.queue.arrived.append(what)

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until everything recorded so far is sent or dropped; False when time ran out."""
        if self._thread is None:
            if not len(self.queue):
                return True
            self._start_thread()
        self._hurry.set()
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(
                lambda: not len(self.queue) and not self._in_flight, timeout_seconds
            )

    def close(self, timeout_seconds: float = EXIT_BUDGET_SECONDS - _EXIT_MARGIN_SECONDS) -> None:
        """Send what is left within the time given, and end the thread; a later call starts anew."""
        if self._limits is not None:
            self._limits.close()
        thread = self._thread
        if thread is None:
            if not len(self.queue):
                return
            self._start_thread()
            thread = self._thread
        self._closed.set()
        self._hurry.set()
        self._wake.set()
        if thread is not None:
            thread.join(timeout_seconds)
            if not thread.is_alive():
                self._thread = None
                self._attends_over = -1
                self._closed.clear()

    def _start_thread(self) -> None:
        with self._start_lock:
            if self._thread is None:
                try:
                    _close_with_worker_process(self)
                    thread = threading.Thread(target=self._run, name="infraprism", daemon=True)
                    thread.start()
                    self._thread = thread
                    if self._spool is None:
                        self._attends_over = min(BATCH_EVENTS, self.queue.max_arrived) - 1
                except RuntimeError as error:  # no more threads, or the interpreter is ending
                    own_error("starting the upload thread", error)

    def _run(self) -> None:
        while True:
            try:
                if not self._step():
                    self._delivery.close()
                    return
            except Exception as error:  # noqa: BLE001 - the thread outlives its own errors
                own_error("upload", error)
                time.sleep(1.0)

    def _step(self) -> bool:
        """Wait for events, gather a batch, send it until the server has it. False: at the end."""
        self._adopt()
        if not (self._closed.is_set() or self._hurry.is_set()) and not self._has_a_batch():
            self._wake.wait(self._gather_seconds)
        self._wake.clear()
        self._spread()
        with self._idle:
            self._in_flight = 1  # what is being looked at is in neither room of the queue
        self.queue.admit()
        batch = self.queue.take(BATCH_EVENTS)
        with self._idle:
            self._in_flight = len(batch)
        if not batch:
            self._settled(0)
            self._report()
            return not self._closed.is_set()
        return self._deliver(batch)

    def _has_a_batch(self) -> bool:
        return len(self.queue) >= BATCH_EVENTS or self.queue.has_later

    def _adopt(self) -> None:
        """Take over what processes that are gone left in the spool."""
        if self._spool is not None and time.monotonic() >= self._adopt_after:
            self._adopt_after = time.monotonic() + ADOPT_SECONDS
            self.queue.put_later(self._spool.orphans(), b"")

    def _spread(self) -> None:
        """After an outage: no faster than twice the usual pace, while there is room to wait."""
        waiting = len(self.queue)
        self._drains = self._drains and waiting >= BATCH_EVENTS
        if self._drains and waiting < self._max_events * _FULL and not self._closed.is_set():
            self._hurry.wait(drain_pause(self._gather_seconds))

    def _deliver(self, batch: list[Event]) -> bool:
        """Until the server has it; at exit one attempt more. What waits behind is bounded."""
        while batch:
            was_closing = self._closed.is_set()
            outcome = self._delivery.send(batch)
            self._settle(batch, outcome.retry)
            batch = outcome.retry
            self._settled(len(batch))
            if not batch:
                if self._attempt:
                    log.warning("infraprism: uploads work again")
                    self._drains = True
                self._attempt = 0
                self._report()
                return True
            if not self._attempt:
                log.warning(
                    "infraprism: uploads fail (%s); events are kept and sent later", outcome.problem
                )
            if was_closing:
                self.counters.dropped("at_exit", self._lost_at_exit(batch))
                self._settled(0)
                return False
            wait = outcome.wait_seconds
            self._back_off(full_jitter(self._attempt) if wait is None else wait)
            self._attempt += 1
        return True

    def _back_off(self, seconds: float) -> None:
        """Wait, and go on making events of calls: they are smaller, and their bound is exact."""
        until = time.monotonic() + seconds
        while not self._closed.is_set() and (left := until - time.monotonic()) > 0:
            self._closed.wait(min(left, self._gather_seconds))
            self.queue.admit()

    def _settle(self, batch: list[Event], retry: list[Event]) -> None:
        if self._spool is not None:
            kept = {event["id"] for event in retry}
            for event in batch:
                if event["id"] not in kept:
                    self._spool.settle(event)

    def _lost_at_exit(self, batch: list[Event]) -> int:
        """What stands in the spool is not lost: another process sends it."""
        self.queue.admit()
        if self._spool is None:
            return len(batch) + len(self.queue)
        from infraprism.spool import SEGMENT  # noqa: PLC0415 - loaded with the spool

        left = batch + self.queue.take(self._max_events)
        return sum(1 for event in left if SEGMENT not in event)

    def _settled(self, left: int) -> None:
        with self._idle:
            self._in_flight = left
            if not left and not len(self.queue):
                self._hurry.clear()
            self._idle.notify_all()

    def _report(self) -> None:
        self._reports.send(self._delivery.report, closing=self._closed.is_set())


_uploaders: weakref.WeakSet[Uploader] = weakref.WeakSet()


def close_all(budget_seconds: float = EXIT_BUDGET_SECONDS - _EXIT_MARGIN_SECONDS) -> None:
    """At exit: every uploader of this process, within one budget for all of them."""
    deadline = time.monotonic() + budget_seconds
    for uploader in list(_uploaders):
        uploader.close(max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    for uploader in list(_uploaders):
        uploader._start_anew()


def _close_with_worker_process(uploader: Uploader) -> None:
    """multiprocessing ends its children without atexit: it has finalizers of its own."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing import util  # noqa: PLC0415 - loaded already wherever it matters

        util.Finalize(uploader, uploader.close, exitpriority=10)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
