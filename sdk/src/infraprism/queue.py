"""The bounded queue between the host's calls and the upload thread: the oldest gives way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from infraprism.counters import Counters
from infraprism.event import Event, size_bytes

MAX_EVENTS = 10_000
MAX_BYTES = 8 * 1024 * 1024
MAX_LATER_BYTES = 64 * 1024 * 1024


class EventQueue:
    """Bounded in events and in bytes. `put` takes microseconds and never waits for the network."""

    def __init__(
        self,
        counters: Counters,
        *,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        gave_way: Callable[[Event], None] | None = None,
    ) -> None:
        """`gave_way` is told of each event that was dropped for newer ones."""
        self._gave_way = gave_way
        self.counters = counters
        self.arrived = threading.Event()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._orphans: deque[Event] = deque()
        self._later: deque[tuple[Iterator[Event], bytes]] = deque()
        self._later_bytes = 0

    def put(self, event: Event) -> None:
        size = size_bytes(event)
        dropped: list[Event] = []
        with self._lock:
            self._events.append((event, size))
            self._bytes += size
            while self._bytes > self._max_bytes or len(self._events) > self._max_events:
                oldest, its_size = self._events.popleft()
                self._bytes -= its_size
                dropped.append(oldest)
        self.counters.queued()
        if dropped:
            self.counters.dropped("queue_full", len(dropped))
            if self._gave_way is not None:
                for oldest in dropped:
                    self._gave_way(oldest)
        if not self.arrived.is_set():
            self.arrived.set()

    def put_from_finalizer(self, event: Event) -> None:
        """For code the garbage collector runs, at any instruction: takes no lock at all."""
        self._orphans.append(event)

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
        elif not self.arrived.is_set():
            self.arrived.set()

    def _take_later(self, limit: int) -> list[Event]:
        """Called by the upload thread alone, when nothing else fills its batch."""
        taken: list[Event] = []
        while self._later and len(taken) < limit:
            events, lines = self._later[0]
            for event in islice(events, limit - len(taken)):
                taken.append(event)
                if len(taken) % 25 == 0:
                    time.sleep(0)  # the host's threads get the interpreter in between
            if len(taken) < limit:
                with self._lock:
                    self._later.popleft()
                    self._later_bytes -= len(lines)
        self.counters.queued(len(taken))
        return taken

    def take(self, limit: int) -> list[Event]:
        """The oldest events, at most `limit`; they are the caller's to send or to count."""
        while self._orphans:
            self.put(self._orphans.popleft())
        with self._lock:
            taken = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            self._bytes -= sum(size for _, size in taken)
            if not self._events and not self._later:
                self.arrived.clear()
        events = [event for event, _ in taken]
        return events + self._take_later(limit - len(events)) if self._later else events

    @property
    def has_later(self) -> bool:
        return bool(self._later)

    def __len__(self) -> int:
        return len(self._events) + len(self._orphans) + len(self._later)
