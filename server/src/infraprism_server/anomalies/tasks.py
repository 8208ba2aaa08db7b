"""The background work of anomalies beside the watch: judging past hours on demand."""

from __future__ import annotations

from typing import Final

import msgspec

from infraprism_server.anomalies.service import BACKFILL_KIND, BackfillJob, BackfillProgress
from infraprism_server.anomalies.watch import Watch
from infraprism_server.background.worker import JobRun, Task

HOURS_AT_ONCE: Final = 24


def anomaly_tasks(watch: Watch) -> dict[str, Task]:
    """The tasks by kind."""

    def backfill(run: JobRun) -> msgspec.Struct:
        account = run.job.account
        if account is None:
            raise ValueError("this job needs an account")
        wanted = run.input(BackfillJob)
        done = run.progress(BackfillProgress)
        total = wanted.end_hour - wanted.first_hour
        while done.hours_done < total:
            run.check()
            first = wanted.first_hour + done.hours_done
            end = min(first + HOURS_AT_ONCE, wanted.end_hour)
            found = watch.judge(account, range(first, end), tell=False)
            done = BackfillProgress(end - wanted.first_hour, total, done.found + found)
            run.save(done)
        return done

    return {BACKFILL_KIND: backfill}
