"""The one thread that writes: it gathers what waits, commits it together, and answers.

Group commit: what arrives within a few milliseconds shares one transaction and one sync. A lone
batch waits only for the gap in which another could have joined it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa

from infraprism_server.errors import InfraPrismError, InvalidRequest, StartupError, Unavailable
from infraprism_server.event_store.contract import Event, Outcome
from infraprism_server.event_store.duckdb.appending import Appender
from infraprism_server.event_store.duckdb.database import Database, is_about_storage, is_fatal
from infraprism_server.event_store.duckdb.rows import Part
from infraprism_server.event_store.event_columns import EventColumns
from infraprism_server.ids import event_keys
from infraprism_server.one_core import stay_on_one_core

GATHER_SECONDS: Final = 0.008
GATHER_GAP_SECONDS: Final = 0.0015
GATHER_EVENTS: Final = 10_000
REST_SECONDS: Final = 0.05
"""Between two chunks of tidying while nothing arrives, so that whoever comes waits for one."""
RETRY_TIDYING_SECONDS: Final = 10.0

_CLOSED = "the event store is closing"
_STORAGE_PROBLEM = (
    "the event store can not write to its disk: free some room; it goes on by itself then"
)

_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Append:
    batch: Part
    future: Future[list[Outcome]]


@dataclass(frozen=True, slots=True)
class _Task:
    work: Callable[[], Any]
    future: Future[Any]
    weight: int
    """Events it holds in memory while it waits."""


class Writer:
    """A queue with a bound, and the thread that empties it."""

    def __init__(self, database: Database, appender: Appender, *, max_waiting_events: int) -> None:
        self._database = database
        self._appender = appender
        self._max_waiting_events = max_waiting_events
        self._queue: deque[_Append | _Task] = deque()
        self._arrived = threading.Condition()
        self._waiting_events = 0
        self._closing = False
        self._abandoned = False
        self._broken = False
        self._tidy_from = 0.0
        self.problem: str | None = None
        """One sentence while the last write failed for the disk's sake."""
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    @property
    def waiting_events(self) -> int:
        """Events handed over whose future is not done."""
        return self._waiting_events

    def append(self, account: int, events: Sequence[Event]) -> Future[list[Outcome]]:
        """Hand a batch over; Unavailable at once when it would wait behind too many."""
        future: Future[list[Outcome]] = _promise()
        if not events:
            future.set_result([])
            return future
        # The ids are taken apart here, in the caller's thread, while the writer is inside DuckDB.
        keys, texts = (
            (events.keys, events.texts)
            if isinstance(events, EventColumns)
            else event_keys([event.id for event in events])
        )
        batch = Part(account, events, keys, texts)
        self._hand_over(_Append(batch, future), len(events))
        return future

    def submit(self, work: Callable[[], _Answer], *, weight: int = 0) -> Future[_Answer]:
        """Run something on the writer's thread, after what was handed over before it."""
        future: Future[_Answer] = _promise()
        self._hand_over(_Task(work, future, weight), weight)
        return future

    def mend_first(self) -> None:
        """Open the file anew before the next write. Called on the writer's thread."""
        self._broken = True

    def close(self, timeout_seconds: float) -> None:
        """Finish what waits; what is not finished in time fails as Unavailable."""
        with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            self._abandoned = True
            self._thread.join()

    def _hand_over(self, item: _Append | _Task, events: int) -> None:
        with self._arrived:
            if self._closing:
                raise Unavailable(_CLOSED)
            # A batch larger than the whole bound is taken when nothing else waits.
            if self._waiting_events and self._waiting_events + events > self._max_waiting_events:
                raise Unavailable("too many events are waiting to be written", 1)
            self._waiting_events += events
            self._queue.append(item)
            self._arrived.notify()

    def _run(self) -> None:
        stay_on_one_core()
        while True:
            with self._arrived:
                while not self._queue and not self._closing:
                    if not self._arrived.wait(self._rest_seconds()):
                        break
                if not self._queue and self._closing:
                    return
                group = self._gather() if self._queue else ()
            if self._abandoned:
                for item in group:
                    _fail(item, Unavailable(_CLOSED))
            else:
                self._carry_out(group)
            with self._arrived:
                self._waiting_events -= sum(map(_events_of, group))
            # A frame that waits for the next item must not keep this group's events alive.
            del group
            self._tidy()

    def _gather(self) -> Sequence[_Append | _Task]:
        """The next task alone, or the appends that stand or arrive together. Holds the lock."""
        first = self._queue.popleft()
        if isinstance(first, _Task):
            return [first]
        group: list[_Append | _Task] = [first]
        events = len(first.batch.events)
        deadline = time.monotonic() + GATHER_SECONDS
        while events < GATHER_EVENTS:
            if not self._queue:
                patience = min(GATHER_GAP_SECONDS, deadline - time.monotonic())
                if patience <= 0 or self._closing or not self._arrived.wait(patience):
                    break
                continue
            following = self._queue[0]
            if isinstance(following, _Task):
                break
            if events + len(following.batch.events) > GATHER_EVENTS:
                break
            group.append(self._queue.popleft())
            events += len(following.batch.events)
        return group

    def _carry_out(self, group: Sequence[_Append | _Task]) -> None:
        appends = [item for item in group if isinstance(item, _Append)]
        for item in group:
            if isinstance(item, _Task):
                self._attempt([item], item.work)
        if not appends:
            return
        batches = [item.batch for item in appends]
        if self._attempt(
            appends, partial(self._appender.append, batches), share=True, last=len(appends) == 1
        ):
            return
        for item in appends:
            # One batch must not fail the others: each by itself shows which one is at fault.
            self._attempt([item], partial(self._appender.append, [item.batch]), share=True)

    def _attempt(
        self,
        items: Sequence[_Append | _Task],
        work: Callable[[], Any],
        *,
        share: bool = False,
        last: bool = True,
    ) -> bool:
        """Do it and answer the futures. False: it failed, nothing was answered, try singly."""
        try:
            self._mend()
            answer = work()
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever happens
            storage = self._after_failure(error)
            # Before anybody is told: who is may read at once.
            self._try_to_mend()
            if not storage and not last:
                return False
            for item in items:
                _fail(item, _as_answer(error))
            return True
        self.problem = None
        for place, item in enumerate(items):
            item.future.set_result(answer[place] if share else answer)
        return True

    def _after_failure(self, error: Exception) -> bool:
        """Note what went wrong; whether it concerns every write alike."""
        if isinstance(error, StartupError):
            self.problem = error.message
            return True
        if isinstance(error, OSError):  # the record of commits could not be synced
            _log.error("a write beside the event store failed: %s", error.strerror)
            self.problem = _STORAGE_PROBLEM
            return True
        if not isinstance(error, duckdb.Error):
            if not isinstance(error, InfraPrismError | pa.ArrowInvalid | OverflowError):
                _log.error("a write failed", exc_info=error)
            return False
        if self.problem is None:
            _log.error("a write to the event store failed: %s", error)
        if is_fatal(error):
            self._broken = True
        if is_about_storage(error):
            self.problem = _STORAGE_PROBLEM
            return True
        return False

    def _mend(self) -> None:
        """Open the file anew when DuckDB gave the old handles up."""
        if self._broken:
            self._database.reopen()
            self._appender.load()
            self._broken = False

    def _try_to_mend(self) -> None:
        try:
            self._mend()
        except (duckdb.Error, StartupError) as error:
            self._after_failure(error)

    def _rest_seconds(self) -> float | None:
        """How long to wait for more before tidying up; None: until it arrives."""
        if self._broken or self._abandoned:
            return None
        now = time.monotonic()
        seconds = self._appender.tidy_in(now)
        return None if seconds is None else max(seconds, REST_SECONDS, self._tidy_from - now)

    def _tidy(self) -> None:
        """Fold what is due. A failure here concerns no one's events: it is tried again later."""
        now = time.monotonic()
        if self._broken or self._abandoned or now < self._tidy_from:
            return
        try:
            self._appender.tidy(now)
        except duckdb.Error as error:
            self._tidy_from = now + RETRY_TIDYING_SECONDS
            self._after_failure(error)
            self._try_to_mend()


def _events_of(item: _Append | _Task) -> int:
    return item.weight if isinstance(item, _Task) else len(item.batch.events)


def _fail(item: _Append | _Task, error: Exception) -> None:
    item.future.set_exception(error)


def _promise() -> Future[Any]:
    """A future that can not be cancelled: a client that went away must not stop the writer."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _as_answer(error: Exception) -> Exception:
    if isinstance(error, OSError):
        return Unavailable("the event store could not confirm this: send it again, it counts once")
    if isinstance(error, StartupError) or (
        isinstance(error, duckdb.Error) and not isinstance(error, duckdb.DataError)
    ):
        return Unavailable("the event store can not write now: nothing of this was stored")
    if isinstance(error, pa.ArrowInvalid | OverflowError | duckdb.DataError):
        return InvalidRequest("a number of this batch is too large to be stored")
    return error
