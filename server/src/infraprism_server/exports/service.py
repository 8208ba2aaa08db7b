"""Exports: asked for, made in the background, fetched by a link, removed when they expire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec
from sqlalchemy import Connection, Engine

from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.outbox import publish
from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, Clock
from infraprism_server.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from infraprism_server.event_store.contract import EventFilter, EventStore, ExportFormat
from infraprism_server.events.service import EventService
from infraprism_server.exports import store
from infraprism_server.exports.files import ExportFiles
from infraprism_server.exports.lane import LANES, SMALL_WORK, lane_of
from infraprism_server.exports.link import PURPOSE, is_valid, signed_path
from infraprism_server.exports.schemas import CreateExport, ExportOut, Format, Status
from infraprism_server.exports.store import ExportRow, Position
from infraprism_server.exports.workbook import MAX_ROWS, write_workbook
from infraprism_server.http.idempotency import IdempotentRequest, answer_once
from infraprism_server.http.wire import Instant, encode, instant
from infraprism_server.secret_box import SecretBox

EXPORT: Final = "exp"
REMOVAL: Final = "export removal"
COMPLETED: Final = "export.completed"
LIFETIME_US: Final = MICROSECONDS_PER_DAY
MAX_PROCESSING: Final = 20
"""Exports of one account that may wait or be under way at once."""
_CSV_SHARE: Final = 0.05
"""Of the time a workbook takes, the part that its csv does."""


class ExportJob(msgspec.Struct, frozen=True):
    """What the job is to write; the export has the job's id."""

    where: EventFilter
    format: Format


class RemovalJob(msgspec.Struct, frozen=True):
    """An export that is gone and whose file is not."""

    export_id: str


class ExportProgress(msgspec.Struct, frozen=True):
    """How far the job is."""

    rows_written: int = 0


class ExportPage(msgspec.Struct, frozen=True):
    """A page of exports, how many there are, and where the next page starts."""

    data: list[ExportOut]
    total: int
    next_position: Position | None


class ExportService:
    """What can be done with exports. Every method says whose they are."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        events: EventService,
        event_store: EventStore,
        jobs: JobQueue,
        box: SecretBox,
        files: ExportFiles,
        public_url: str | None,
        max_workbook_rows: int = MAX_ROWS,
        small_work: int = SMALL_WORK,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._events = events
        self._event_store = event_store
        self._jobs = jobs
        self._keys = box.signing_keys(PURPOSE)
        self._files = files
        self._public_url = public_url
        self._max_workbook_rows = max_workbook_rows
        self._small_work = small_work
        self._listeners: list[Callable[[], None]] = []

    def on_created(self, listener: Callable[[], None]) -> None:
        """Call `listener` when an export was asked for: whoever makes it need not wait to look."""
        self._listeners.append(listener)

    def create(
        self, account: int, new: CreateExport, address: str, idempotent: IdempotentRequest | None
    ) -> bytes:
        """Queue an export; the answer's body.

        Its link starts with the public URL, or else with `address`, where the caller sees us.
        """
        where = self._events.where(account, new)
        rows = self._events.page(where, 1, 0, None).total
        if new.format == "xlsx":
            self._check_workbook(rows)
        now_us = self._clock.now_us()

        def make(connection: Connection) -> tuple[str, bytes]:
            if store.count_processing(connection, account) >= MAX_PROCESSING:
                raise Conflict(f"{MAX_PROCESSING} exports are under way; wait or delete one")
            lane = lane_of(new.format, rows, self._small_work)
            job = self._jobs.insert_with(
                connection, lane, account, ExportJob(where, new.format), prefix=EXPORT
            )
            store.insert_export(
                connection,
                export_id=job.id,
                account=account,
                file_format=new.format,
                base_url=self._public_url or address,
                rows_total=rows,
                now_us=now_us,
            )
            row = store.find_export(connection, account, job.id)
            assert row is not None
            return job.id, encode(self._out(row))

        answer = answer_once(self._engine, account, idempotent, now_us, make)
        for listener in self._listeners:
            listener()
        return answer

    def page(self, account: int, limit: int, offset: int, after: Position | None) -> ExportPage:
        """Newest first; `after` goes on where a page ended."""
        with self._engine.connect() as connection:
            rows = store.select_exports(connection, account, limit + 1, offset, after)
            total = store.count_exports(connection, account)
        shown = rows[:limit]
        position = Position(shown[-1].created_at_us, shown[-1].id) if len(rows) > limit else None
        return ExportPage([self._out(row) for row in shown], total, position)

    def asked(self, account: int, export_ids: Sequence[str]) -> dict[str, EventFilter]:
        """Which events exports of a page are about, where that is still known."""
        with self._engine.connect() as connection:
            inputs = store.select_inputs(connection, account, export_ids)
        return {
            export_id: msgspec.json.decode(text, type=ExportJob).where
            for export_id, text in inputs.items()
        }

    def get(self, account: int, export_id: str) -> ExportOut:
        """The export, or NotFound."""
        with self._engine.connect() as connection:
            row = store.find_export(connection, account, export_id)
        if row is None:
            raise _no_export()
        return self._out(row)

    def delete(self, account: int, export_id: str) -> None:
        """Cancel it if it is under way, and remove it with its file. NotFound if there is none."""
        with self._engine.begin() as connection:
            if not store.delete_export(connection, account, export_id):
                raise _no_export()
        self._jobs.cancel(account, LANES, export_id)
        try:
            self._files.remove(export_id)
        except Unavailable:
            self._jobs.insert(REMOVAL, account, RemovalJob(export_id))

    def file_of(self, export_id: str, path: str, query: bytes) -> tuple[Path, str]:
        """The file a link is for, and its format.

        Forbidden unless the link is ours and not late, NotFound when its export was removed.
        """
        now_us = self._clock.now_us()
        if not is_valid(self._keys, path, query, export_id, now_us // MICROSECONDS_PER_SECOND):
            raise Forbidden("This link is not valid, or not any more; ask for the export again")
        with self._engine.connect() as connection:
            row = store.find_for_link(connection, export_id)
        if row is None or self._is_expired(row):
            raise NotFound("This export was removed")
        file = self._files.find(export_id, row.format)
        if file is None:
            raise NotFound("This export was removed")
        return file, row.format

    def write(
        self, account: int, export_id: str, job: ExportJob, progress: Callable[[int], None]
    ) -> int:
        """Make the file, then complete the export and tell the webhooks of it; rows written.

        Every attempt begins anew: a file has its name only when it is whole. What `progress`
        raises (cancelled, stopping) ends it and leaves nothing behind.
        """
        partial = self._files.partial(export_id)
        try:
            rows = self._write_file(job, partial, progress)
            # Not cancelled, and ours still: asked until the file is where it belongs.
            size_bytes = self._files.keep(partial, export_id, job.format, lambda: progress(rows))
        finally:
            partial.unlink(missing_ok=True)
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            completed = store.complete(
                connection,
                account,
                export_id,
                rows=rows,
                size_bytes=size_bytes,
                now_us=now_us,
                expires_at_us=now_us + LIFETIME_US,
            )
            row = store.find_export(connection, account, export_id)
            if completed and row is not None:
                publish(connection, account, COMPLETED, self._out(row), now_us)
        if row is None:  # deleted while the file got its name
            self._files.remove(export_id)
        return rows

    def remove_file(self, removal: RemovalJob) -> None:
        """Remove what could not be removed when its export was deleted. Unavailable: not yet."""
        self._files.remove(removal.export_id)

    def forget(self, account: int) -> int:
        """Remove all exports of an account, for what is erased may be in them; how many."""
        removed = 0
        while found := self.page(account, 1, 0, None).data:
            self.delete(account, found[0].id)
            removed += 1
        return removed

    def purge(self) -> int:
        """Remove the files of exports that have expired, and what failed or killed ones left.

        How many exports those were. A file that can not be removed now holds up none of the others.
        """
        with self._engine.connect() as connection:
            over = store.select_over(connection, self._clock.now_us())
            left = self._files.left()
            over += sorted(left - store.select_known(connection, left))
        purged = 0
        for export_id in over:
            try:
                self._files.remove(export_id)
            except Unavailable:
                continue
            with self._engine.begin() as connection:
                store.mark_purged(connection, export_id)
            purged += 1
        return purged

    def _write_file(self, job: ExportJob, target: Path, progress: Callable[[int], None]) -> int:
        total = self._events.page(job.where, 1, 0, None).total
        if job.format != "xlsx":
            written: ExportFormat = job.format
            return self._event_store.export(
                job.where, written, target, lambda part: progress(int(total * part))
            )
        source = target.with_name(f"{target.name}.csv.partial")
        try:
            rows = self._event_store.export(
                job.where, "csv", source, lambda part: progress(int(total * part * _CSV_SHARE))
            )
            self._check_workbook(rows)  # more may have arrived since it was asked for
            ahead = int(rows * _CSV_SHARE)
            write_workbook(
                source, target, rows, lambda done: progress(ahead + int(done * (1 - _CSV_SHARE)))
            )
            return rows
        finally:
            source.unlink(missing_ok=True)

    def _check_workbook(self, rows: int) -> None:
        if rows > self._max_workbook_rows:
            raise InvalidRequest(
                f"A workbook holds {self._max_workbook_rows:,} events and these are {rows:,}; "
                "take another format or a shorter range",
                "format",
            )

    def _out(self, row: ExportRow) -> ExportOut:
        status: Status = "processing"
        written = 0
        if row.completed_at_us is not None:
            status = "completed"
            written = row.rows_total
        elif row.job_status not in ("queued", "running"):
            status = "failed"
        if status == "processing" and row.job_progress is not None:
            written = msgspec.json.decode(row.job_progress, type=ExportProgress).rows_written
        failure = row.job_error or "The export was cancelled"
        return ExportOut(
            id=row.id,
            status=status,
            format=cast("Format", row.format),
            download_url=self._link(row),
            expires_at=instant(row.expires_at_us),
            created_at=Instant(row.created_at_us),
            completed_at=instant(row.completed_at_us),
            rows_written=written,
            rows_total=row.rows_total,
            size_bytes=row.bytes,
            error=failure if status == "failed" else None,
        )

    def _link(self, row: ExportRow) -> str | None:
        if row.expires_at_us is None or self._is_expired(row):
            return None
        # Whole seconds, rounded down: a link never outlives its file.
        expires_seconds = row.expires_at_us // MICROSECONDS_PER_SECOND
        left_seconds = expires_seconds - self._clock.now_us() // MICROSECONDS_PER_SECOND
        link = self._files.foreign_link(row.id, row.format, left_seconds)
        if link is not None:
            return link
        return row.base_url + signed_path(self._keys, row.id, expires_seconds)

    def _is_expired(self, row: ExportRow) -> bool:
        return row.expires_at_us is None or row.expires_at_us <= self._clock.now_us()


def _no_export() -> NotFound:
    return NotFound("There is no export with this id", "export_id")
