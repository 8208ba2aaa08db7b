"""The background work of exports: one job, one file."""

from __future__ import annotations

import msgspec

from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.worker import JobRun, Task, Worker
from infraprism_server.exports.lane import LARGE, SMALL
from infraprism_server.exports.service import (
    REMOVAL,
    ExportJob,
    ExportProgress,
    ExportService,
    RemovalJob,
)


def export_workers(jobs: JobQueue, exports: ExportService) -> tuple[Worker, ...]:
    """One worker a lane: a large export holds up no small one, and no account all others."""
    tasks = export_tasks(exports)
    large = {LARGE: tasks.pop(LARGE)}
    workers = Worker(jobs, tasks, by_turns=True), Worker(jobs, large, by_turns=True)
    for worker in workers:
        exports.on_created(worker.nudge)
    return workers


def export_tasks(exports: ExportService) -> dict[str, Task]:
    """The tasks by kind."""

    def export(run: JobRun) -> msgspec.Struct:
        account = run.job.account
        if account is None:
            raise ValueError("this job needs an account")

        def progress(rows: int) -> None:
            run.check()
            run.save(ExportProgress(rows))

        wanted = run.input(ExportJob)
        return ExportProgress(exports.write(account, run.job.id, wanted, progress))

    def remove(run: JobRun) -> None:
        exports.remove_file(run.input(RemovalJob))

    return {SMALL: export, LARGE: export, REMOVAL: remove}
