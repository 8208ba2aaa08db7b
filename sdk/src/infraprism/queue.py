"""The bounded queue between the host's calls and the upload thread: the oldest gives way."""

from __future__ import annotations

import threading
from collections import deque

from infraprism.counters import Counters
from infraprism.event import Event, size_bytes

MAX_EVENTS = 10_000
MAX_BYTES = 8 * 1024 * 1024


class EventQueue:
    """Bounded in events and in bytes. `put` takes microseconds and never waits for the network."""

    def __init__(
        self, counters: Counters, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES
    ) -> None:
        self.counters = counters
        self.arrived = threading.Event()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._orphans: deque[Event] = deque()

    def put(self, event: Event) -> None:
        size = size_bytes(event)
        dropped = 0
        with self._lock:
            self._events.append((event, size))
            self._bytes += size
            while self._bytes > self._max_bytes or len(self._events) > self._max_events:
                self._bytes -= self._events.popleft()[1]
                dropped += 1
        self.counters.queued()
        if dropped:
            self.counters.dropped("queue_full", dropped)
        if not self.arrived.is_set():
            self.arrived.set()

    def put_from_finalizer(self, event: Event) -> None:
        """For code the garbage collector runs, at any instruction: takes no lock at all."""
        self._orphans.append(event)

    def take(self, limit: int) -> list[Event]:
        """The oldest events, at most `limit`; they are the caller's to send or to count."""
        while self._orphans:
            self.put(self._orphans.popleft())
        with self._lock:
            taken = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            self._bytes -= sum(size for _, size in taken)
            if not self._events:
                self.arrived.clear()
        return [event for event, _ in taken]

    def __len__(self) -> int:
        return len(self._events) + len(self._orphans)
