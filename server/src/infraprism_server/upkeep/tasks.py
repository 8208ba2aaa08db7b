"""The background work of upkeep: one job at a time, for each of them changes the event store."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from infraprism_server.background.worker import JobRun, Task
from infraprism_server.upkeep import work
from infraprism_server.upkeep.service import Tell, UpkeepService

_SAVE_SECONDS: Final = 0.25


def upkeep_tasks(upkeep: UpkeepService) -> dict[str, Task]:
    """The tasks by kind, for the worker of the process that owns the stores."""

    def expire(run: JobRun) -> msgspec.Struct:
        account = run.job.account
        if account is None:
            raise ValueError("this job needs an account")
        return upkeep.expire(account, run.input(work.Expiry), _told(run))

    def erase(run: JobRun) -> msgspec.Struct:
        found = run.progress(work.Done).erased

        def begin(erased: work.Erased) -> Tell:
            run.save(work.Done(0.0, "events", erased))
            return _told(run, erased)

        return upkeep.erase(run.job, run.input(work.Erasure), found, begin)

    def compact(run: JobRun) -> msgspec.Struct:
        return upkeep.compact(_told(run))

    def back_up(run: JobRun) -> msgspec.Struct:
        return upkeep.back_up(run.job, run.input(work.Backup), _told(run))

    return {
        work.EXPIRE: expire,
        work.ERASE: erase,
        work.COMPACT: compact,
        work.BACK_UP: back_up,
    }


def _told(run: JobRun, erased: work.Erased | None = None) -> Tell:
    """Saves how far a job is, now and then, and stops it when the server has to end."""
    saved_at = 0.0

    def tell(step: str, part: float) -> None:
        nonlocal saved_at
        run.check()
        if time.monotonic() - saved_at >= _SAVE_SECONDS:
            run.save(work.Done(round(part, 4), step, erased))
            saved_at = time.monotonic()

    return tell
