"""The worker: one thread that leases jobs and runs what is registered for their kind.

A job that fails never holds up the others: its attempt is recorded and the next job is taken. A
task that runs for long saves its progress often and stops when it is asked to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
import structlog
import uuid_utils

from infraprism_server.background.jobs import LEASE_SECONDS, Job, JobQueue, LeaseLostError
from infraprism_server.errors import InfraPrismError

POLL_SECONDS: Final = 0.5
_RENEW_SECONDS: Final = LEASE_SECONDS / 4
_MOST_SERVED: Final = 100
"""Accounts that a worker remembers to have served; one it forgot counts as not served yet."""

T = TypeVar("T", bound=msgspec.Struct)
Task = Callable[["JobRun"], msgspec.Struct | None]

log = structlog.get_logger()


class StoppingError(Exception):
    """Raised inside a task by `JobRun.check`: the worker is stopping, the job will go on later."""


class JobRun:
    """One attempt at a job, as its task sees it."""

    def __init__(self, job: Job, queue: JobQueue, stopping: threading.Event) -> None:
        self.job = job
        self._queue = queue
        self._stopping = stopping

    def input(self, kind: type[T]) -> T:
        """What was asked for."""
        return msgspec.json.decode(self.job.input, type=kind)

    def progress(self, kind: type[T]) -> T:
        """What an earlier attempt saved, or the defaults."""
        return msgspec.json.decode(self.job.progress, type=kind)

    def save(self, progress: msgspec.Struct) -> None:
        """Store the progress and renew the lease. LeaseLostError when the job is someone else's."""
        self._queue.save_progress(self.job, progress)

    def check(self) -> None:
        """Call between steps. StoppingError when the worker has to end."""
        if self._stopping.is_set():
            raise StoppingError

    def pause(self, seconds: float) -> None:
        """Let others work for a moment. StoppingError when the worker has to end meanwhile."""
        if self._stopping.wait(seconds):
            raise StoppingError


class Worker:
    """Runs jobs one after the other in a thread of its own, the oldest first.

    by_turns: of accounts that wait, the one that was served the longest ago comes first, so that
    none waits for more than one job of each other. Several processes take turns each on its own.
    """

    def __init__(self, queue: JobQueue, tasks: dict[str, Task], *, by_turns: bool = False) -> None:
        self._queue = queue
        self._tasks = dict(tasks)
        self._by_turns = by_turns
        self._served: list[int] = []
        self._holder = uuid_utils.uuid7().hex
        self._stopping = threading.Event()
        self._nudged = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """A job was just inserted: look now instead of at the next poll."""
        self._nudged.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Ask the running task to stop and wait for it. False when it did not in time."""
        self._stopping.set()
        self._nudged.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def run_due(self) -> int:
        """Run jobs until none is due, in the calling thread. Answers how many were attempted."""
        attempted = 0
        while not self._stopping.is_set():
            job = self._queue.lease(list(self._tasks), self._holder, self._served)
            if job is None:
                break
            self._remember(job)
            self._run(job)
            attempted += 1
        return attempted

    def _remember(self, job: Job) -> None:
        if self._by_turns and job.account is not None:
            others = [account for account in self._served if account != job.account]
            self._served = [*others[-_MOST_SERVED + 1 :], job.account]

    def _work(self) -> None:
        nudged = True
        while not self._stopping.is_set():
            try:
                if nudged or self._queue.any_due(self._tasks):
                    self.run_due()
            except Exception:  # the store may be away for a while; the worker must outlive that
                log.exception("jobs_not_reachable")
            nudged = self._nudged.wait(POLL_SECONDS)
            self._nudged.clear()

    def _run(self, job: Job) -> None:
        renewing = threading.Event()
        renewer = threading.Thread(
            target=self._renew, args=(job, renewing), name="job-lease", daemon=True
        )
        renewer.start()
        try:
            result = self._tasks[job.kind](JobRun(job, self._queue, self._stopping))
            self._queue.finish(job, result)
        except StoppingError:
            self._end(job, None)
        except LeaseLostError:
            log.warning("job_lease_lost", job=job.id, kind=job.kind)
        except InfraPrismError as error:
            # What was asked for can not be done: not later either.
            self._end(job, error.message, final=error.status < 500)
        except Exception as error:  # whatever a task raises is its own failure, not the worker's
            log.exception("job_failed", job=job.id, kind=job.kind, attempt=job.attempts)
            self._end(job, f"Internal error ({type(error).__name__}); the log has the details")
        finally:
            renewing.set()
            renewer.join()

    def _end(self, job: Job, error: str | None, *, final: bool = False) -> None:
        try:
            if error is None:
                self._queue.release(job)
            else:
                self._queue.fail(job, error, final=final)
        except LeaseLostError:
            log.warning("job_lease_lost", job=job.id, kind=job.kind)

    def _renew(self, job: Job, done: threading.Event) -> None:
        """Hold the lease while a step takes long. A killed process stops renewing."""
        while not done.wait(_RENEW_SECONDS):
            try:
                self._queue.renew(job)
            except LeaseLostError:
                return
            except Exception:  # the next renewal, or the lease's end, settles it
                log.exception("job_lease_not_renewed", job=job.id)
