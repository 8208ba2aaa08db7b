"""Upkeep: ask for it, and do it. Orders the steps; each may be done again after a kill."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from infraprism_server import __version__
from infraprism_server.accounts.service import AccountService
from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.clock import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    MICROSECONDS_PER_SECOND,
    Clock,
    iso_utc,
)
from infraprism_server.control_store import erasure, snapshot
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.errors import Conflict, NotFound
from infraprism_server.event_store.contract import EntityQuery, EventFilter, EventStore
from infraprism_server.event_store.lasting import Compacted
from infraprism_server.exports.service import ExportService
from infraprism_server.limits.service import LimitService
from infraprism_server.secret_box import FILE_NAME as SECRET_KEY
from infraprism_server.upkeep import manifest as manifests
from infraprism_server.upkeep import work
from infraprism_server.upkeep.manifest import Manifest
from infraprism_server.upkeep.work import Backup, Erased, Erasure, Expired, Expiry

Tell = Callable[[str, float], None]
"""(step, part of the whole that is done)."""

UNFINISHED: Final = "backup.unfinished"
"""In the folder of a backup until it is one: the id of the job that makes it."""
EXPIRY_KEPT_DAYS: Final = 7
_MAX_PASSES: Final = 20
"""Of a deletion while more arrives: whoever still reports is not followed for ever."""
_KEYS_DIE_SECONDS: Final = 1.0
_RENAMES_AT_ONCE: Final = 200
_NAMES_AT_ONCE: Final = 10_000
_PAGE: Final = 1_000


class UpkeepService:
    """What the process that owns both stores does for them."""

    def __init__(
        self,
        engine: Engine,
        *,
        data_dir: Path,
        clock: Clock,
        store: EventStore,
        jobs: JobQueue,
        accounts: AccountService,
        exports: ExportService,
        limits: LimitService,
    ) -> None:
        self._engine = engine
        self._data_dir = data_dir
        self._clock = clock
        self._store = store
        self._jobs = jobs
        self._accounts = accounts
        self._exports = exports
        self._limits = limits

    def ask_for_due_expiries(self) -> int:
        """Queue the deletion of what accounts do not keep any longer; how many were queued.

        To the hour: what is deleted is older than the account's days, and at most an hour more.
        """
        now_us = self._clock.now_us()
        kept_us = EXPIRY_KEPT_DAYS * MICROSECONDS_PER_DAY
        self._jobs.purge(work.EXPIRE, now_us - kept_us)
        queued = offset = 0
        while True:
            accounts, total = self._accounts.page(_PAGE, offset)
            for account in accounts:
                if account.retention_days is None:
                    continue
                kept_us = account.retention_days * MICROSECONDS_PER_DAY
                before_us = (now_us - kept_us) // MICROSECONDS_PER_HOUR * MICROSECONDS_PER_HOUR
                extent = self._store.find_extent(account.number)
                if extent is None or extent[0] >= before_us:
                    continue
                if not self._jobs.is_under_way(account.number, work.EXPIRE):
                    self._jobs.insert(work.EXPIRE, account.number, Expiry(before_us))
                    queued += 1
            offset += len(accounts)
            if offset >= total or not accounts:
                return queued

    def expire(self, account: int, wanted: Expiry, tell: Tell) -> Expired:
        """Delete what is older, and the names that nothing is left of."""
        where = EventFilter(account=account, end_us=wanted.before_us)
        events = self._store.delete_events(where, lambda part: tell("events", part))
        return Expired(events, self._store.forget_names(account, self._described(account)))

    def erase(
        self, job: Job, wanted: Erasure, found: Erased | None, begin: Callable[[Erased], Tell]
    ) -> Erased:
        """Erase, or say what that would be. NotFound when there is nothing of that name.

        `found`: what an attempt before this one had found; `begin` writes it down.
        """
        if wanted.account is None:
            return found or Erased()
        where = EventFilter(
            account=wanted.account, entity_type=wanted.entity_type, entity_id=wanted.entity_id
        )
        before = found or self._measure(where)
        if wanted.dry_run:
            return self._done(job, before)
        tell = begin(before)
        if wanted.entity_type is None or wanted.entity_id is None:
            return self._erase_account(job, wanted, where, before, tell)
        return self._erase_entity(job, wanted, where, before, tell)

    def compact(self, tell: Tell) -> Compacted:
        """Both stores: the control store's part is short."""
        done = self._store.compact(lambda part: tell("events", part * 0.98))
        tell("control store", 0.99)
        snapshot.compact_control_store(self._engine)
        return done

    def back_up(self, job: Job, wanted: Backup, tell: Tell) -> Manifest:
        """Write a backup into a folder that is empty: the control store first, then the events.

        In that order an alert that was told may be told once more after a restore, and none is
        ever missing.
        """
        folder = Path(wanted.folder)
        self._begin_backup(folder, job.id)
        tell("control store", 0.0)
        control = snapshot.copy_control_store(self._engine, folder)
        stored = self._store.back_up(folder, lambda part: tell("events", part * 0.8))
        paths = [folder / stored.file]
        if control is not None:
            snapshot.settle_copy(self._engine, folder, self._clock.now_us(), over=(work.BACK_UP,))
            manifests.sync(control)
            paths.append(control)
        key = self._data_dir / SECRET_KEY
        if key.is_file() and wanted.secret_key:
            copied = folder / SECRET_KEY
            shutil.copyfile(key, copied)
            copied.chmod(0o600)
            manifests.sync(copied)
            paths.append(copied)
        total = max(1, sum(path.stat().st_size for path in paths))
        read = 0

        def heard(size: int) -> None:
            nonlocal read
            read += size
            tell("checksums", 0.8 + 0.2 * read / total)

        manifest = Manifest(
            format=manifests.FORMAT,
            made_by=__version__,
            instance_id=ensure_installation(self._engine, self._clock.now_us()).instance_id,
            created_at=iso_utc(self._clock.now_us() // MICROSECONDS_PER_SECOND * 1_000_000),
            events=stored.events,
            control_store="elsewhere" if control is None else "included",
            key_file=(
                "none" if not key.is_file() else "included" if wanted.secret_key else "left out"
            ),
            files=[manifests.entry_of(path, heard) for path in paths],
        )
        manifests.write_manifest(folder, manifest)
        (folder / UNFINISHED).unlink()
        return manifest

    def _begin_backup(self, folder: Path, job_id: str) -> None:
        """Take an empty folder; or go on in one that this job has begun. Conflict otherwise."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker = folder / UNFINISHED
        if any(folder.iterdir()):
            if not marker.is_file() or marker.read_text(encoding="ascii") != job_id:
                raise Conflict(f"{folder} is not empty: name a folder that is, or a new one")
            return
        marker.write_text(job_id, encoding="ascii")
        manifests.sync(folder)

    def _described(self, account: int) -> list[tuple[str, str]]:
        with self._engine.connect() as connection:
            return erasure.described_entities(connection, account)

    def _measure(self, where: EventFilter) -> Erased:
        """What there is of it. NotFound when an entity is in neither store."""
        self._accounts.read(where.account)
        if where.entity_type is None or where.entity_id is None:
            page = self._store.list_entities(EntityQuery(account=where.account, limit=1))
            events = self._store.list_events(where, limit=1).total
            with self._engine.connect() as connection:
                rows = erasure.count_account(connection, where.account)
            exports = self._exports.page(where.account, 1, 0, None).total
            return Erased(events=events, entities=page.total, rows=rows, exports=exports)
        found = self._store.find_entity(where.account, where.entity_type, where.entity_id)
        with self._engine.connect() as connection:
            rows = erasure.count_entity(
                connection, where.account, where.entity_type, where.entity_id
            )
        if found is None and rows == 0:
            raise NotFound(f"There is no {where.entity_type} '{where.entity_id}'")
        return Erased(
            events=0 if found is None else found.sums.events,
            cost_pico=0 if found is None else found.sums.cost_pico,
            entities=int(found is not None),
            rows=rows,
            exports=self._exports.page(where.account, 1, 0, None).total,
        )

    def _erase_entity(
        self, job: Job, wanted: Erasure, where: EventFilter, before: Erased, tell: Tell
    ) -> Erased:
        account, kind, name = where.account, wanted.entity_type or "", wanted.entity_id or ""
        pseudonym = work.pseudonym_of(job.id) if wanted.mode == "pseudonymise" else None
        self._limits.forget(account, kind, name)
        exports = self._exports.forget(account)
        if pseudonym is None:
            events = max(before.events, self._delete(where, tell))
        else:
            if not wanted.keep_tags:
                self._store.strip_events(where, lambda part: tell("tags", part * 0.9))
            self._rename(account, kind, name, pseudonym)
            events = before.events
        keep = [each for each in self._described(account) if each != (kind, name)]
        self._store.forget_names(account, keep)
        tell("control store", 0.95)
        with self._engine.begin() as connection:
            rows = erasure.delete_entity(connection, account, kind, name, job.id)
        return self._done(
            job,
            Erased(
                events=events,
                cost_pico=before.cost_pico,
                entities=1,
                rows=rows,
                exports=exports,
                pseudonym=pseudonym,
            ),
        )

    def _erase_account(
        self, job: Job, wanted: Erasure, where: EventFilter, before: Erased, tell: Tell
    ) -> Erased:
        account = where.account
        with self._engine.begin() as connection:
            erasure.delete_sign_ins(connection, account)
        time.sleep(_KEYS_DIE_SECONDS)  # keys are believed for so long; then nobody reports any more
        self._limits.forget(account)
        exports = self._exports.forget(account)
        pseudonym = None
        if wanted.mode == "pseudonymise":
            pseudonym = work.pseudonym_of(job.id)
            if not wanted.keep_tags:
                self._store.strip_events(where, lambda part: tell("tags", part * 0.6))
            self._rename_all(account, pseudonym, tell)
            events = before.events
        else:
            events = max(before.events, self._delete(where, tell))
        self._store.forget_names(account, [])
        tell("control store", 0.95)
        with self._engine.begin() as connection:
            rows = erasure.delete_account(connection, account, keep_row=pseudonym is not None)
            if pseudonym is not None:
                erasure.pseudonymise_account(connection, account, pseudonym)
        return self._done(
            job,
            Erased(
                events=events,
                entities=before.entities,
                rows=rows,
                exports=exports,
                pseudonym=pseudonym,
            ),
        )

    def _done(self, job: Job, erased: Erased) -> Erased:
        """The job itself must not say whom it erased. After it an attempt does nothing more."""
        self._jobs.redact(job, Erasure())
        return erased

    def _delete(self, where: EventFilter, tell: Tell) -> int:
        deleted = 0
        for _ in range(_MAX_PASSES):
            found = self._store.delete_events(where, lambda part: tell("events", part * 0.9))
            deleted += found
            if found == 0:
                break
        return deleted

    def _rename(self, account: int, kind: str, name: str, pseudonym: str) -> None:
        try:
            self._store.rename_entity(account, kind, name, pseudonym).result()
        except Conflict:
            return  # an earlier attempt did it; what has come since is of somebody who reports

    def _rename_all(self, account: int, pseudonym: str, tell: Tell) -> None:
        """Every entity gets a name of its own; those of an earlier attempt have one."""
        names: list[tuple[str, str]] = []
        while True:
            query = EntityQuery(
                account=account, sort="entity_id", limit=_NAMES_AT_ONCE, offset=len(names)
            )
            page = self._store.list_entities(query).entities
            names += [(each.entity_type, each.entity_id) for each in page]
            if len(page) < _NAMES_AT_ONCE:
                break
        old = [each for each in names if not each[1].startswith(pseudonym)]
        for start in range(0, len(old), _RENAMES_AT_ONCE):
            renamed = [
                self._store.rename_entity(
                    account, kind, name, f"{pseudonym}-{secrets.token_hex(8)}"
                )
                for kind, name in old[start : start + _RENAMES_AT_ONCE]
            ]
            for future in renamed:
                future.result()
            tell("entities", 0.6 + 0.3 * start / len(old))
