"""An optional folder where events wait too, so that they survive the end of their process.

An event is appended when it is recorded, by one buffered write: kill -9 does not lose it, a power
cut may. Files of processes that are gone are sent by the next one with the same destination; ids
make that harmless however often it happens. Nothing but the listed fields is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from infraprism.event import DERIVED, FIELDS, Event
from infraprism.quiet import own_error, warn_once

SEGMENT: Final = "_segment"
"""On events that stand in a file: which one."""
SEGMENT_BYTES: Final = 1024 * 1024
MAX_BYTES: Final = 64 * 1024 * 1024
_SUFFIX: Final = ".events"


class Segment:
    """One file, locked by its process as long as it lives."""

    __slots__ = ("fd", "outstanding", "path", "size")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size = 0
        self.outstanding = 0

    def remove(self) -> None:
        """Before the lock is given up, so that nobody takes over what was sent."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


class Spool:
    """The files of this process, and those of others it took over. Safe from any thread."""

    def __init__(self, folder: Path, root: str, api_key: str) -> None:
        destination = hashlib.sha256(f"{root}\n{api_key}".encode()).hexdigest()
        self._folder = folder
        self._prefix = destination[:16]
        self._lock = threading.Lock()
        self._current: Segment | None = None
        self._segments: set[Segment] = set()
        self._bytes = 0

    def append(self, event: Event) -> None:
        """Write an event down. What fails is logged; the event is in memory anyway."""
        try:
            line = _line(event)
            with self._lock:
                segment = self._writable(len(line))
                if segment is None:
                    return
                os.write(segment.fd, line)
                segment.size += len(line)
                segment.outstanding += 1
                self._bytes += len(line)
            event[SEGMENT] = segment
        except Exception as error:  # noqa: BLE001 - a full disk is not the host's problem
            own_error("spooling an event", error)

    def settle(self, event: Event) -> None:
        """The event was sent or given up: a file none of whose events waits is removed."""
        segment = event.pop(SEGMENT, None)
        if segment is None:
            return
        with self._lock:
            segment.outstanding -= 1
            if segment.outstanding > 0 or segment not in self._segments:
                return
            self._segments.discard(segment)
            self._bytes -= segment.size
            if segment is self._current:
                self._current = None
            segment.remove()

    def orphans(self) -> Iterator[Event]:
        """Events of processes that are gone, file by file."""
        for path in sorted(self._folder.glob(f"{self._prefix}-*{_SUFFIX}")):
            try:
                segment = self._taken_over(path)
            except OSError:
                continue  # its process lives, or another one was quicker
            if segment is None:
                continue
            events = list(_events(segment.path))
            segment.outstanding = len(events)
            if not events:
                segment.remove()
                continue
            with self._lock:
                self._segments.add(segment)
                self._bytes += segment.size
            for event in events:
                event[SEGMENT] = segment
                yield event

    def left_by_parent(self) -> None:
        """In a forked child: the files are the parent's; its locks stay with it."""
        for segment in self._segments:
            os.close(segment.fd)
        self._segments.clear()

    def _writable(self, size: int) -> Segment | None:
        if self._bytes + size > MAX_BYTES:
            return None
        if self._current is None or self._current.size + size > SEGMENT_BYTES:
            self._current = self._new()
            self._segments.add(self._current)
        return self._current

    def _new(self) -> Segment:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{self._prefix}-{os.getpid()}-{os.urandom(6).hex()}{_SUFFIX}"
        unseen = path.with_suffix(".new")  # nobody may take it over before it is locked
        fd = os.open(unseen, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY, 0o600)
        _lock(fd)
        unseen.rename(path)
        return Segment(path, fd)

    def _taken_over(self, path: Path) -> Segment | None:
        fd = os.open(path, os.O_RDWR)
        try:
            _lock(fd)
            if os.fstat(fd).st_nlink == 0:  # sent and removed between the look and the lock
                os.close(fd)
                return None
        except OSError:
            os.close(fd)
            raise
        segment = Segment(path, fd)
        segment.size = os.fstat(fd).st_size
        return segment


def spool_in(folder: str | None, root: str, api_key: str) -> Spool | None:
    """A spool in that folder; None, with a line in the log, where files can not be locked."""
    if not folder:
        return None
    try:
        import fcntl  # noqa: F401, PLC0415 - not there on Windows
    except ImportError:
        warn_once("no spool", "infraprism: a spool needs file locks; it is off on this system")
        return None
    return Spool(Path(folder), root, api_key)


def _lock(fd: int) -> None:
    """OSError where another process has it."""
    import fcntl  # noqa: PLC0415

    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _line(event: Event) -> bytes:
    kept: dict[str, Any] = {name: event[name] for name in FIELDS if name in event}
    if DERIVED in event:
        kept[DERIVED] = True
    return json.dumps(kept, separators=(",", ":"), default=str).encode() + b"\n"


def _events(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        for line in file:
            try:
                event = json.loads(line)
                if "cost_usd" in event:
                    event["cost_usd"] = Decimal(event["cost_usd"])
            except ValueError:  # the last line of a process that was killed while it wrote
                continue
            yield event
