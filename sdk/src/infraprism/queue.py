"""The bounded queue between the host's calls and the upload thread: the oldest gives way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from infraprism.calls import event_of
from infraprism.counters import Counters, Counts
from infraprism.event import SLICE, Event, completed, size_bytes
from infraprism.quiet import own_error

if TYPE_CHECKING:
    from infraprism.calls import Answered, Call

MAX_EVENTS = 10_000
MAX_BYTES = 8 * 1024 * 1024
MAX_LATER_BYTES = 64 * 1024 * 1024
MAX_ARRIVED: Final = 2_000
"""Of what nobody has looked at: some 3 MB, 20 where all have tags as long as they may be. Longer
texts are the host's own, and are cut when somebody looks: in half a second."""


class EventQueue:
    """Bounded in events and in bytes, in two rooms.

    `arrived` is where the host's threads put what they record, as it is and without a lock: a
    deque's `append` is one step. `admit` makes events of it, which is for the upload thread; the
    host's threads do it themselves, one by one, where more than `max_arrived` wait.
    """

    def __init__(
        self,
        counters: Counters,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        came: Callable[[Event], None] | None = None,
        gave_way: Callable[[Event], None] | None = None,
    ) -> None:
        """`came` is told of each event, `gave_way` of each that was dropped for newer ones."""
        self._came = came
        self._gave_way = gave_way
        self.counters = counters
        self.arrived: deque[Call | Answered | Event] = deque()
        self.max_arrived = min(MAX_ARRIVED, max_events // 2)
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._later: deque[tuple[Iterator[Event], bytes]] = deque()
        self._later_bytes = 0

    def admit(self, limit: int | None = None) -> None:
        """Make events of what arrived, all of it or at most `limit`, and drop what has no room."""
        left = len(self.arrived) if limit is None else limit
        while left > 0 and self.arrived:
            with self._lock:  # `counts` sees each of them either waiting or counted
                taken = [self.arrived.popleft() for _ in range(min(SLICE, left, len(self.arrived)))]
                self.counters.queued(len(taken))
            left -= len(taken)
            self._keep([made for what in taken if (made := self._event_of(what)) is not None])
            if left > 0:
                time.sleep(0)  # the host's threads get the interpreter in between

    def _event_of(self, what: Call | Answered | Event) -> tuple[Event, int] | None:
        try:
            event = completed(what) if isinstance(what, dict) else event_of(what)
            if self._came is not None:
                self._came(event)
            return event, size_bytes(event)
        except Exception as error:  # noqa: BLE001 - the others are events
            own_error("making an event of a call", error)
            self.counters.dropped("unreadable")
            return None

    def _keep(self, events: list[tuple[Event, int]]) -> None:
        dropped: list[Event] = []
        with self._lock:
            self._events.extend(events)
            self._bytes += sum([size for _, size in events])
            while self._events and (
                self._bytes > self._max_bytes
                or len(self._events) + len(self.arrived) > self._max_events
            ):
                oldest, its_size = self._events.popleft()
                self._bytes -= its_size
                dropped.append(oldest)
        if dropped:
            self.counters.dropped("queue_full", len(dropped))
            if self._gave_way is not None:
                for oldest in dropped:
                    self._gave_way(oldest)

    def counts(self) -> Counts:
        """What became of everything, with what just arrived as queued."""
        with self._lock:
            counts = self.counters.snapshot()
            return counts._replace(queued=counts.queued + len(self.arrived))

    def put_later(self, events: Iterator[Event], lines: bytes) -> None:
        """Events made of lines when there is room for them, such as a whole file of results.

        The bytes are the host's own, held a while longer. One file of any size waits, more of them
        up to MAX_LATER_BYTES; the next is dropped and counted by its lines.
        """
        with self._lock:
            fits = not self._later or self._later_bytes + len(lines) <= MAX_LATER_BYTES
            if fits:
                self._later.append((events, lines))
                self._later_bytes += len(lines)
        if not fits:
            self.counters.queued(lines.count(b"\n"))
            self.counters.dropped("queue_full", lines.count(b"\n"))

    def _take_later(self, limit: int) -> list[Event]:
        """Called by the upload thread alone, when nothing else fills its batch."""
        taken: list[Event] = []
        while self._later and len(taken) < limit:
            events, lines = self._later[0]
            for event in islice(events, limit - len(taken)):
                taken.append(completed(event))
                if len(taken) % SLICE == 0:
                    time.sleep(0)  # the host's threads get the interpreter in between
            if len(taken) < limit:
                with self._lock:
                    self._later.popleft()
                    self._later_bytes -= len(lines)
        self.counters.queued(len(taken))
        return taken

    def take(self, limit: int) -> list[Event]:
        """The oldest events, at most `limit`; they are the caller's to send or to count."""
        with self._lock:
            taken = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            self._bytes -= sum([size for _, size in taken])
        events = [event for event, _ in taken]
        return events + self._take_later(limit - len(events)) if self._later else events

    @property
    def has_later(self) -> bool:
        return bool(self._later)

    def __len__(self) -> int:
        return len(self.arrived) + len(self._events) + len(self._later)
