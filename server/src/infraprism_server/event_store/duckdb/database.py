"""The DuckDB file: opening it with clear refusals, a cursor per thread, opening it anew.

One process holds the file; inside it every thread reads through a cursor of its own. After an
error that DuckDB itself calls fatal nothing works on the old handles: `reopen` replaces them.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import duckdb

from infraprism_server.errors import StartupError, Unavailable
from infraprism_server.event_store.duckdb import schema
from infraprism_server.event_store.duckdb.commit_record import CommitRecord, sync_folder
from infraprism_server.event_store.duckdb.long_reads import TIMEOUT_SECONDS, Deadlines, LongReads
from infraprism_server.event_store.duckdb.memory import default_memory_limit_mb
from infraprism_server.library_threads import standing_back

FILE_NAME: Final = "events.duckdb"
CHECKPOINT_THRESHOLD: Final = "16MB"
"""Log size at which DuckDB moves it into the file: larger ones stall commits longer."""

_CLOSE_WAIT_SECONDS = 10.0
_DAMAGED: Final = (
    "events.duckdb is damaged: a part of it is not what was written; restore it from a backup"
)
_LOCK_HOLDER = re.compile(r"\(PID (\d+)\)")
_DAMAGE: Final = ("corrupt database file", "could not read enough bytes")
"""DuckDB's words for a checksum that is wrong, and for a block beyond the end."""
_ADVICE: Final = (
    (_DAMAGE, _DAMAGED),
    (
        ("not a valid duckdb",),
        "events.duckdb is not a DuckDB file: move it away or restore it from a backup",
    ),
    (
        ("permission denied", "read-only file system"),
        "no permission to write events.duckdb: give this user the data folder and its files",
    ),
    (
        ("no space", "too large", "quota"),
        "no room on the disk of the data folder: free some and start again",
    ),
    (
        ("no such file", "cannot open file"),
        "the data folder does not exist or can not be entered: make it first",
    ),
)

_log = logging.getLogger(__name__)

_open_files: set[Path] = set()
_open_files_guard = threading.Lock()


class Database:
    """One open event file. `connection` is the writer's alone; readers take a `snapshot`."""

    def __init__(
        self,
        folder: Path,
        *,
        instance_id: str,
        memory_limit_mb: int | None,
        threads: int | None,
        steps: Sequence[schema.Step] = schema.STEPS,
        checkpoint_threshold: str = CHECKPOINT_THRESHOLD,
        accept_loss: bool = False,
        record: CommitRecord | None = None,
        long_reads: LongReads | None = None,
        read_timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.file = folder.resolve() / FILE_NAME
        self.record = record or CommitRecord(self.file, accept_loss=accept_loss)
        self.long_reads = long_reads or LongReads()
        self._deadlines = Deadlines(read_timeout_seconds)
        self.instance_id = instance_id
        self.steps = steps
        self.memory_limit = f"{memory_limit_mb or default_memory_limit_mb()}MB"
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": self.memory_limit,
            "threads": str(threads or os.cpu_count() or 1),
            "checkpoint_threshold": checkpoint_threshold,
            # Merging small row groups takes 100 to 250 ms each, and commits wait for it: one a
            # checkpoint keeps up.
            "max_vacuum_tasks": "1",
            # A file of parquet that is cut short while DuckDB 2.0 writes it in the background waits
            # for itself for ever: whoever ends the writes holds the lock that they wait for.
            "async_threads": "0",
            # DuckDB 2.0 sorts the union of a join that is known to be empty in columns narrower
            # than their values (usage.py): a sort that is never narrowed can not fail so.
            "disabled_optimizers": "compressed_materialization",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        }
        self._guard = threading.Condition()
        self._reading = 0
        self._gate_closed = False
        self._generation = 0
        self._cursors: dict[threading.Thread, duckdb.DuckDBPyConnection] = {}
        self._local = threading.local()
        self._closed = False
        _claim(self.file)
        try:
            self._open()
        except BaseException:
            _release(self.file)
            raise

    def _open(self) -> None:
        # Cursors are made from a handle that executes nothing, so that none waits for the writer.
        self.record.inspect()
        with standing_back():
            self._root = _connect(self.file, self._config)
        self.connection = self._root.cursor()
        try:
            self.schema_version = schema.prepare(
                self.connection, self.file, instance_id=self.instance_id, steps=self.steps
            )
        except duckdb.Error as error:
            self._close_writer()
            raise startup_error(error) from error
        except BaseException:
            self._close_writer()
            raise
        self.record.opened()

    def reopen(self) -> None:
        """Throw every handle away and open the file again; readers in flight get Unavailable."""
        with self._guard:
            self._close_handles()
            self._open()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """The calling thread's own connection, made at its first read. Under the guard."""
        cached: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cached is not None and self._local.generation == self._generation:
            return cached
        for thread in [thread for thread in self._cursors if not thread.is_alive()]:
            self._cursors.pop(thread).close()
        cursor = self._root.cursor()
        self._cursors[threading.current_thread()] = cursor
        self._local.cursor = cursor
        self._local.generation = self._generation
        return cursor

    @contextmanager
    def snapshot(self, *, timed: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor inside one transaction: all its statements see the same events.

        timed: Unavailable when they take longer than a reader may wait; not for background work.
        """
        with self.working() as cursor:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                with self._deadlines.watch(cursor) if timed else nullcontext():
                    yield cursor
            finally:
                cursor.execute("ROLLBACK")

    @contextmanager
    def working(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The thread's cursor outside of a transaction. Waits while the file is being replaced."""
        with self._guard:
            while self._gate_closed and not self._closed:
                self._guard.wait()
            if self._closed:
                raise Unavailable("the event store is closed")
            cursor = self._cursor()
            self._reading += 1
        try:
            yield cursor
        except duckdb.Error as error:
            self._local.cursor = None
            raise Unavailable(_reason(error)) from error
        finally:
            with self._guard:
                self._reading -= 1
                self._guard.notify_all()

    @contextmanager
    def without_readers(self, patience_seconds: float, *, interrupt: bool) -> Iterator[bool]:
        """Let no reader in while the block runs; whether those who were in are out.

        They get so many seconds to finish; after that they are interrupted, or False is answered.
        """
        with self._guard:
            self._gate_closed = True
            deadline = time.monotonic() + patience_seconds
            while self._reading and time.monotonic() < deadline:
                self._guard.wait(0.05)
            if self._reading and interrupt:
                self._send_readers_out()
            alone = not self._reading
        try:
            yield alone
        finally:
            with self._guard:
                self._gate_closed = False
                self._guard.notify_all()

    def replace(self, whole: Path) -> None:
        """Put another file, whole and synced, in the place of this one. For the writer alone.

        Nobody may read meanwhile. At every moment the name stands for one whole file that holds
        every commit: the log is moved into the old one before, and the new one has none.
        """
        with self._guard:
            self.connection.execute("CHECKPOINT")
            self._close_handles()
            try:
                log = self.file.with_name(FILE_NAME + ".wal")
                if log.exists() and log.stat().st_size:
                    raise Unavailable("the log of the event store could not be moved into its file")
                log.unlink(missing_ok=True)
                whole.replace(self.file)
                sync_folder(self.file.parent)
            finally:
                self._open()

    def bytes_on_disk(self) -> int:
        """The file and its log, as the file system counts them."""
        total = 0
        for path in (self.file, self.file.with_name(FILE_NAME + ".wal")):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def close(self) -> None:
        """Release the file; the log is moved into it where that is possible."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._guard.notify_all()
            self._close_handles()
        self._deadlines.close()
        self.record.finish()
        _release(self.file)

    def _close_handles(self) -> None:
        self._generation += 1
        self._send_readers_out()
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()
        self._close_writer()

    def _send_readers_out(self) -> None:
        """Interrupt whoever reads. Under the guard."""
        for cursor in self._cursors.values():
            cursor.interrupt()
        # A reader between two statements starts one more before it sees that it is over.
        deadline = time.monotonic() + _CLOSE_WAIT_SECONDS
        while self._reading and time.monotonic() < deadline:
            self._guard.wait(0.05)
            for cursor in self._cursors.values():
                cursor.interrupt()

    def _close_writer(self) -> None:
        self.connection.close()
        self._root.close()
        self.record.let_go()


def is_fatal(error: duckdb.Error) -> bool:
    """Whether DuckDB refuses all further work on the handles it happened on."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException) or (
        "invalidated" in str(error)
    )


def is_about_storage(error: duckdb.Error) -> bool:
    """Whether the disk is at fault rather than what was written to it."""
    text = str(error)
    return (
        is_fatal(error)
        or isinstance(error, duckdb.IOException)
        or "Could not write" in text
        or "Failed to commit" in text
        or "fsync" in text
    )


def _connect(
    file: Path, config: dict[str, str | bool | int | float | list[str]]
) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(file), config=config)
    except duckdb.Error as error:
        raise startup_error(error) from error


def startup_error(error: duckdb.Error) -> StartupError:
    """One line that says what to do; DuckDB's own text names paths and is not shown."""
    text = str(error)
    lowered = text.lower()
    if "could not set lock" in lowered:
        holder = _LOCK_HOLDER.search(text)
        who = f"process {holder[1]}" if holder else "another process"
        return StartupError(f"the event store is open in {who}: stop it first")
    for words, advice in _ADVICE:
        if any(word in lowered for word in words):
            return StartupError(advice)
    return StartupError(
        f"events.duckdb can not be opened ({text.splitlines()[0][:200]}):"
        " restore it from a backup, or use the program version that wrote it"
    )


def is_damage(text: str) -> bool:
    """Whether DuckDB says that a checksum of the file is wrong or that its end is missing."""
    return any(words in text.lower() for words in _DAMAGE)


def _reason(error: duckdb.Error) -> str:
    if is_damage(str(error)):
        _log.error("events.duckdb is damaged: %s", error)
        return _DAMAGED
    if isinstance(error, duckdb.OutOfMemoryException):
        return "the event store has not enough memory for this question: narrow it or try later"
    if isinstance(error, duckdb.IOException):
        return "the event store could not read or write a file: is a disk full?"
    return "the event store can not answer now"


def _claim(file: Path) -> None:
    # DuckDB hands a second opener in the same process the first one's instance: two writers.
    with _open_files_guard:
        if file in _open_files:
            raise StartupError("the event store is open in this process already: close it first")
        _open_files.add(file)


def _release(file: Path) -> None:
    with _open_files_guard:
        _open_files.discard(file)
