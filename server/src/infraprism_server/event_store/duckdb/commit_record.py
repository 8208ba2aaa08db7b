"""What was promised, kept beside the event file: the last acknowledged commit and what holds it.

DuckDB drops the end of a log that was cut off without a word (docs/decisions/0006). So after each
commit, before anybody is told of it, a few bytes are written and synced here: its number, how many
events are stored, the size of the file, and the size and checksum of the log. At the next opening
they are compared with what is there. What is missing is named, and refused unless it is accepted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import duckdb

from infraprism_server.errors import StartupError

FILE_NAME: Final = "events.commits"
SLOT_BYTES: Final = 512
"""What a disk writes whole: a record that was being written when the power went harms no other."""
SLOTS: Final = 8

_HEADER_BYTES: Final = 3 * 4_096
"""The file's three headers: they change with every checkpoint and at no other time."""
_READ_BYTES: Final = 1 << 20
_MAGIC: Final = b"IPcommit"
_FORMAT: Final = struct.Struct("<8sQQQ16sQQI")
_CHECK: Final = struct.Struct("<I")
_CORRUPT_AT: Final = re.compile(r"Corrupt WAL file: entry at byte position (\d+)")
_MOST_CUTS: Final = 1_000

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One record: a floor under what the store must hold."""

    number: int
    commit_no: int
    events: int
    headers: bytes
    file_bytes: int
    log_bytes: int
    log_check: int


class CommitRecord:
    """The record of one event file. Used by whoever opens the file, and then by the writer alone.

    `accept_loss`: go on with what is left, after saying what is gone.
    """

    def __init__(
        self,
        file: Path,
        *,
        accept_loss: bool = False,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        self._file = file
        self._log_file = file.with_name(file.name + ".wal")
        self._path = file.with_name(FILE_NAME)
        self._accept_loss = accept_loss
        self._sync = sync
        self._last: Entry | None = None
        self._descriptor: int | None = None
        self._held: int | None = None
        self._read: tuple[bytes, int, int] = (b"", 0, 0)
        self.syncs = 0
        """Commits whose log and record were synced."""

    def inspect(self) -> None:
        """Compare the files with the record, before DuckDB opens (and changes) them.

        StartupError when bytes of an acknowledged commit are missing or changed.
        """
        self._last = self._last or newest(self._path)
        last = self._last
        if last is None:
            return
        if not self._file.exists():
            if last.events:
                self._refuse("events.duckdb is missing", last)
            return
        if _headers(self._file) != last.headers:
            return  # a checkpoint has moved the log into the file since: `compare` sees the result
        lacking = last.file_bytes - self._file.stat().st_size
        if lacking > 0:
            self._refuse(f"events.duckdb was cut off: its last {lacking} bytes are missing", last)
        damage = self._damage_of_log(last)
        if damage is not None:
            self._refuse(damage, last)
            self._save_log()

    def opened(self) -> None:
        """DuckDB has the file open now."""
        # Held until DuckDB lets go: closing any descriptor of a file gives up the process's locks
        # on it, DuckDB's too.
        self._held = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        self._read = (b"", 0, 0)

    def compare(self, commit_no: int, events: int) -> None:
        """What the opened store holds must be what was promised, or more. StartupError if not."""
        last = self._last
        if last is not None and (commit_no < last.commit_no or events < last.events):
            self._refuse("acknowledged events are missing from the event store", last, events)
            self._last = last._replace(commit_no=commit_no, events=events)
        self.note(commit_no, events)

    def note(self, commit_no: int, events: int) -> None:
        """Sync the log, then what it holds: after this a commit may be acknowledged. OSError.

        A deletion notes the numbers it will leave before it commits as well: a floor holds then
        whenever the process ends.
        """
        if self._held is None:
            raise RuntimeError("the event file is not open")
        headers = hashlib.blake2b(os.pread(self._held, _HEADER_BYTES, 0), digest_size=16).digest()
        log_bytes, log_check = self._read_log(headers)
        file_bytes = os.fstat(self._held).st_size
        number = self._last.number + 1 if self._last else 1
        self._write(Entry(number, commit_no, events, headers, file_bytes, log_bytes, log_check))
        self.syncs += 1

    def let_go(self) -> None:
        """DuckDB has given its handles up."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def finish(self) -> None:
        """The store was closed in order, which may have moved the log into the file."""
        try:
            if self._last is not None and self._file.exists():
                self.opened()
                self.note(self._last.commit_no, self._last.events)
        except OSError as error:
            _log.warning("the record of commits was not renewed at the end: %s", error.strerror)
        finally:
            self.let_go()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self, entry: Entry) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._descriptor).st_size < SLOTS * SLOT_BYTES:
                # Room for all slots once: later writes need none, on a full disk either.
                os.pwrite(self._descriptor, bytes(SLOTS * SLOT_BYTES), 0)
                os.fsync(self._descriptor)
                sync_folder(self._path.parent)
        body = _FORMAT.pack(_MAGIC, *entry)
        slot = (body + _CHECK.pack(zlib.crc32(body))).ljust(SLOT_BYTES, b"\0")
        os.pwrite(self._descriptor, slot, entry.number % SLOTS * SLOT_BYTES)
        self._sync(self._descriptor)
        self._last = entry

    def _read_log(self, headers: bytes) -> tuple[int, int]:
        """Size and checksum of the log, synced; only what was added since the last time is read."""
        try:
            descriptor = os.open(self._log_file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._read = (headers, 0, 0)
            return 0, 0
        try:
            # DuckDB has synced it already. This costs next to nothing then, and is the promise.
            self._sync(descriptor)
            of_headers, done, check = self._read
            if of_headers != headers or os.fstat(descriptor).st_size < done:
                done = check = 0
            while part := os.pread(descriptor, _READ_BYTES, done):
                check = zlib.crc32(part, check)
                done += len(part)
        finally:
            os.close(descriptor)
        self._read = (headers, done, check)
        return done, check

    def _damage_of_log(self, last: Entry) -> str | None:
        try:
            with self._log_file.open("rb") as log:
                there = os.fstat(log.fileno()).st_size
                check, left = 0, last.log_bytes
                while left and (part := log.read(min(left, _READ_BYTES))):
                    check = zlib.crc32(part, check)
                    left -= len(part)
        except FileNotFoundError:
            return "the event store's log is missing" if last.log_bytes else None
        if left:
            return f"the event store's log was cut off: {left} of {there + left} bytes are missing"
        if check != last.log_check:
            return "the event store's log is damaged: bytes of it have changed"
        return None

    def _refuse(self, what: str, last: Entry, events: int | None = None) -> None:
        """StartupError, or a warning where the loss is accepted."""
        if events is None:
            events = _count_readable(self._file)
        if events is None:
            lost = f"of {last.events} acknowledged events some can not be read"
        else:
            lost = f"{max(0, last.events - events)} of {last.events} acknowledged events are lost"
        if not self._accept_loss:
            raise StartupError(
                f"{what}; {lost}: restore a backup, or go on without them with"
                " `infraprism serve --accept-loss`"
            )
        _log.warning("%s; %s: accepted", what, lost)

    def _save_log(self) -> None:
        """Put the damaged log aside and leave of it what DuckDB can read.

        DuckDB says where the first entry is that it can not read; what stands before is whole.
        """
        if not self._log_file.exists():
            return
        aside = self._log_file.with_name(f"{self._log_file.name}.damaged-{time.time_ns()}")
        aside.write_bytes(self._log_file.read_bytes())
        _log.warning("the damaged log is kept as %s", aside.name)
        for _ in range(_MOST_CUTS):
            try:
                duckdb.connect(str(self._file), read_only=True).close()
            except duckdb.Error as error:
                place = _CORRUPT_AT.search(str(error))
                if place is None or int(place[1]) >= self._log_file.stat().st_size:
                    self._log_file.unlink()
                    return
                os.truncate(self._log_file, int(place[1]))
            else:
                return
        self._log_file.unlink()


def newest(path: Path) -> Entry | None:
    """The last whole record of a file, or None."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    entries = []
    for start in range(0, len(content), SLOT_BYTES):
        body = content[start : start + _FORMAT.size]
        check = content[start + _FORMAT.size : start + _FORMAT.size + _CHECK.size]
        if body.startswith(_MAGIC) and check == _CHECK.pack(zlib.crc32(body)):
            entries.append(Entry(*_FORMAT.unpack(body)[1:]))
        elif body.strip(b"\0"):
            _log.warning("a record of a commit was not written whole; the one before it counts")
    return max(entries, default=None)


def _headers(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.blake2b(opened.read(_HEADER_BYTES), digest_size=16).digest()


def _count_readable(file: Path) -> int | None:
    """How many events DuckDB finds, without changing anything; None when it can not say."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            ((count,),) = connection.execute("SELECT count(*) FROM events").fetchall()
            return int(count)
    except duckdb.Error:
        return None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
