"""The background work of exports: one job, one file."""

from __future__ import annotations

import msgspec

from infraprism_server.background.worker import JobRun, Task
from infraprism_server.exports.service import (
    KIND,
    REMOVAL,
    ExportJob,
    ExportProgress,
    ExportService,
    RemovalJob,
)


def export_tasks(exports: ExportService) -> dict[str, Task]:
    """The tasks by kind, for a worker of their own: a long export holds up no other work."""

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

    return {KIND: export, REMOVAL: remove}
