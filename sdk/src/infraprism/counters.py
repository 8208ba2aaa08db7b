"""What became of every event: queued, sent, or dropped with a reason. Nothing is lost uncounted."""

from __future__ import annotations

import threading
from typing import NamedTuple


class Counts(NamedTuple):
    """Events since the process started (or was forked)."""

    queued: int
    sent: int
    dropped: dict[str, int]
    fields_dropped: dict[str, int]

    def since(self, earlier: Counts) -> Counts:
        return Counts(
            self.queued - earlier.queued,
            self.sent - earlier.sent,
            _difference(self.dropped, earlier.dropped),
            _difference(self.fields_dropped, earlier.fields_dropped),
        )


class Counters:
    """The running counts; every method is safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queued = 0
        self._sent = 0
        self._dropped: dict[str, int] = {}
        self._fields: dict[str, int] = {}

    def queued(self, events: int = 1) -> None:
        with self._lock:
            self._queued += events

    def sent(self, events: int) -> None:
        with self._lock:
            self._sent += events

    def dropped(self, reason: str, events: int = 1) -> None:
        if not events:
            return
        with self._lock:
            self._dropped[reason] = self._dropped.get(reason, 0) + events

    def field_dropped(self, name: str) -> None:
        with self._lock:
            self._fields[name] = self._fields.get(name, 0) + 1

    def snapshot(self) -> Counts:
        with self._lock:
            return Counts(self._queued, self._sent, dict(self._dropped), dict(self._fields))


def _difference(now: dict[str, int], earlier: dict[str, int]) -> dict[str, int]:
    changed = {name: count - earlier.get(name, 0) for name, count in now.items()}
    return {name: count for name, count in changed.items() if count}
