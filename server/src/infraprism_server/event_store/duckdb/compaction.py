"""Getting space back: the store is written anew beside itself, and takes its own place.

DuckDB gives back what a file's last blocks held and no more, so deleted events leave it as large
as it was. The copy is made beside ingest (copying.py); the last commits, and the change of files,
are the writer's. That is one rename of a whole, synced file without a log over another one without
a log: a process that is killed before it finds the old file, one that is killed after it the new,
and both hold every commit and its number, so the record of commits agrees with either.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infraprism_server.errors import InfraPrismError, Unavailable
from infraprism_server.event_store.duckdb import copying
from infraprism_server.event_store.duckdb.commit_record import sync_folder
from infraprism_server.event_store.duckdb.copying import MOST_BEGINNINGS, ChangedError, Copy
from infraprism_server.event_store.duckdb.database import FILE_NAME, Database
from infraprism_server.event_store.duckdb.lasting import LastingAppender
from infraprism_server.event_store.duckdb.writer import Writer
from infraprism_server.event_store.lasting import BackedUp, Compacted, Tell

BEING_COMPACTED: Final = ".compacting"
BEING_BACKED_UP: Final = ".partial"
SPARE_BYTES: Final = 64 << 20
"""Room that must stay beside the copy: ingest goes on meanwhile."""
FEW_EVENTS: Final = 20_000
"""So many the writer may copy while everybody waits."""
DRAIN_SECONDS: Final = 0.5
"""How long new readers wait for those that are in."""
PATIENCE_SECONDS: Final = 120.0
"""For a moment without long reads; after that they are interrupted."""
_COPIED: Final = 0.9
"""Of a compaction's time, the part that copying events takes."""

_log = logging.getLogger(__name__)


class Rewriting:
    """Compactions and backups of one store, one at a time."""

    def __init__(self, database: Database, appender: LastingAppender, writer: Writer) -> None:
        self._database = database
        self._appender = appender
        self._writer = writer
        self._one_at_a_time = threading.Lock()

    def compact(self, tell: Tell) -> Compacted:
        """As the contract says."""
        with self._one_at_a_time:
            before = self._database.bytes_on_disk()
            self._require_room(self._database.file.parent)
            target = self._database.file.with_name(FILE_NAME + BEING_COMPACTED)
            try:
                self._until_unchanged(lambda: self._compact(target, tell))
            except InfraPrismError:
                Copy(self._database, target).remove()
                raise
            return Compacted(before, self._database.bytes_on_disk())

    def back_up(self, folder: Path, tell: Tell) -> BackedUp:
        """As the contract says."""
        with self._one_at_a_time:
            self._require_room(folder)
            partial = folder / (FILE_NAME + BEING_BACKED_UP)
            events = self._until_unchanged(lambda: self._back_up(partial, tell))
            whole = folder / FILE_NAME
            partial.chmod(0o600)
            partial.replace(whole)
            sync_folder(folder)
            return BackedUp(whole.name, events, whole.stat().st_size)

    def _until_unchanged(self, attempt: Callable[[], int]) -> int:
        for _ in range(MOST_BEGINNINGS):
            try:
                return attempt()
            except ChangedError:
                _log.info("what was copied of the event store has changed: once more")
        raise Unavailable("events are being deleted or priced anew all the time: try again later")

    def _compact(self, target: Path, tell: Tell) -> int:
        copy = Copy(self._database, target)
        with copy.attached():
            total = self._appender.events
            copy.copy_events(
                lambda: self._appender.commit_no, lambda part: tell(part * _COPIED), total=total
            )
            if not copy.rolled:
                copy.copy_sums(tell, _COPIED)
            copy.compare()
            self._catch_up(copy, tell)
            self._change_files(copy, target, tell)
        tell(1.0)
        return self._appender.events

    def _back_up(self, partial: Path, tell: Tell) -> int:
        copy = Copy(self._database, partial)
        with copy.attached():
            if not copy.rolled:
                copy.copy_sums(tell, 0.0)
            last = copy.rolled_at()
            copy.copy_events(lambda: last, tell, total=self._appender.events)
            copy.compare()
            with self._database.working() as cursor:
                copy.finish(cursor)
                events = copying.count_copied(cursor)
                copy.close_whole(cursor)
        return events

    def _catch_up(self, copy: Copy, tell: Tell) -> None:
        """Until there is little more to copy, however fast more arrives."""
        for _ in range(50):
            before = self._appender.events
            copy.copy_events(
                lambda end=self._appender.commit_no: end,  # type: ignore[misc]
                lambda _: tell(_COPIED),
                total=before,
            )
            if self._appender.events - before < FEW_EVENTS:
                return

    def _change_files(self, copy: Copy, target: Path, tell: Tell) -> None:
        """At a moment without readers, the writer takes the new file."""
        patient_until = time.monotonic() + PATIENCE_SECONDS
        while True:
            impatient = time.monotonic() > patient_until
            with self._database.without_readers(DRAIN_SECONDS, interrupt=impatient) as alone:
                if alone:
                    self._writer.submit(lambda: self._take(copy, target)).result()
                    return
            if impatient:
                raise Unavailable("a read did not end: the event store could not change its file")
            tell(_COPIED)
            self._catch_up(copy, tell)

    def _take(self, copy: Copy, target: Path) -> None:
        """On the writer's thread: the last commits, then the change of files."""
        began = time.monotonic()
        connection = self._database.connection
        appender = self._appender
        if appender.in_doubt:
            raise ChangedError
        connection.execute("BEGIN TRANSACTION")
        try:
            copy.check_unchanged(connection)
            copying.copy_commits(connection, copy.copied_to, appender.commit_no)
            copy.copied_to = appender.commit_no
            copying.copy_new_names(connection)
            copy.finish(connection)
            copy.check_count(connection, appender.events)
            connection.execute("COMMIT")
        except BaseException:
            copying.roll_back(connection)
            raise
        copy.close_whole(connection)
        try:
            self._database.replace(target)
        except BaseException:
            self._writer.mend_first()
            raise
        appender.changed_files()
        _log.info("the event store was compacted; commits waited %.3f s", time.monotonic() - began)

    def _require_room(self, folder: Path) -> None:
        needed = self._database.bytes_on_disk() + SPARE_BYTES
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise Unavailable(
                f"{needed} bytes must be free on the disk for a copy of the event store,"
                f" and {free} are"
            )
