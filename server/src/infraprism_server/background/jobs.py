"""Jobs: work that is recorded first and done later, by whichever process holds its lease.

Whoever wants work done inserts a row; a worker leases it, saves its progress as it goes and
finishes it. A lease runs out, so the job of a killed worker is taken over and goes on from the
progress it saved. What a job does is not known here (see worker.py and each feature's tasks.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Engine,
    RowMapping,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Connection

from infraprism_server import ids
from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock
from infraprism_server.control_store.tables import jobs
from infraprism_server.errors import NotFound

MAX_ATTEMPTS: Final = 5
LEASE_SECONDS: Final = 60
RETRY_DELAY_SECONDS: Final = 10
"""After a failure, times the attempts so far."""
MAX_ERROR_CHARS: Final = 500
_LOOK_SECONDS: Final = 0.25
"""How old a look at what is due may be that the workers of a process share."""

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]


class Job(msgspec.Struct, frozen=True):
    """One job as it is stored. `input`, `progress` and `result` are JSON texts of its kind."""

    id: str
    account: int | None
    kind: str
    status: JobStatus
    input: str
    progress: str
    result: str | None
    error: str | None
    attempts: int
    lease: str | None
    created_at_us: int
    finished_at_us: int | None


class JobTally(msgspec.Struct, frozen=True):
    """How many jobs of a kind stand where, and when the oldest unfinished one of them was made."""

    kind: str
    status: JobStatus
    count: int
    oldest_us: int | None


class LeaseLostError(Exception):
    """Another worker has the job now, or it was cancelled: stop without writing anything."""


class JobQueue:
    """The jobs table. Thread-safe; every method is one transaction."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._looking = threading.Lock()
        self._looked_at = -_LOOK_SECONDS
        self._due_kinds: frozenset[str] = frozenset()

    def insert(
        self, kind: str, account: int | None, body: msgspec.Struct, *, prefix: str = ids.JOB
    ) -> Job:
        """Queue a job, in a transaction of its own."""
        with self._engine.begin() as connection:
            return self.insert_with(connection, kind, account, body, prefix=prefix)

    def insert_with(
        self,
        connection: Connection,
        kind: str,
        account: int | None,
        body: msgspec.Struct,
        *,
        prefix: str = ids.JOB,
    ) -> Job:
        """Queue a job in a transaction that also writes what the job is about."""
        job = Job(
            id=ids.new_id(prefix),
            account=account,
            kind=kind,
            status="queued",
            input=msgspec.json.encode(body).decode(),
            progress="{}",
            result=None,
            error=None,
            attempts=0,
            lease=None,
            created_at_us=self._clock.now_us(),
            finished_at_us=None,
        )
        connection.execute(insert(jobs).values(msgspec.structs.asdict(job)))
        return job

    def get(self, account: int | None, kind: str, job_id: str) -> Job:
        """The account's job of that kind. NotFound otherwise."""
        return self._get(account, (kind,), job_id)

    def _get(self, account: int | None, kinds: Collection[str], job_id: str) -> Job:
        query = select(jobs).where(
            jobs.c.account == account if account is not None else jobs.c.account.is_(None),
            jobs.c.kind.in_(kinds),
            jobs.c.id == job_id,
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound("There is no job with this id")
        return _job(row)

    def tally(self) -> list[JobTally]:
        """How the jobs of every kind stand; kinds that have none are left out."""
        unfinished = jobs.c.status.in_(("queued", "running"))
        counts = select(
            jobs.c.kind,
            jobs.c.status,
            func.count(),
            func.min(case((unfinished, jobs.c.created_at_us))),
        ).group_by(jobs.c.kind, jobs.c.status)
        with self._engine.connect() as connection:
            rows = connection.execute(counts).all()
        return [JobTally(*row) for row in rows]

    def any_due(self, kinds: Collection[str]) -> bool:
        """Whether a job of these kinds was due a moment ago: what one worker saw, others need not
        look for, so that a server without work hardly wakes.
        """
        with self._looking:
            now = time.monotonic()
            if now - self._looked_at >= _LOOK_SECONDS:
                with self._engine.connect() as connection:
                    found = connection.execute(_DUE_KINDS, {"now_us": self._clock.now_us()})
                    self._due_kinds = frozenset(found.scalars())
                self._looked_at = now
            return not self._due_kinds.isdisjoint(kinds)

    def lease(self, kinds: list[str], holder: str, served: Sequence[int] = ()) -> Job | None:
        """The oldest job that is due, now held by `holder` for LEASE_SECONDS; None: none is due.

        `served`: accounts whose jobs come after those of all others, the last one last.
        Due is what is queued and not waiting for its next attempt, and what a worker left behind.
        A job found with MAX_ATTEMPTS used up is failed here: it killed its workers.
        """
        if not kinds:
            return None
        while True:
            now_us = self._clock.now_us()
            # Read without the write lock: most of the time nothing is due.
            with self._engine.connect() as connection:
                row = connection.execute(self._due(kinds, now_us, served)).mappings().one_or_none()
            if row is None:
                return None
            job = _job(row)
            if job.attempts >= MAX_ATTEMPTS:
                self._change_unchanged(
                    job,
                    now_us,
                    status="failed",
                    error=job.error or "The worker stopped in every attempt",
                    lease=None,
                    leased_until_us=None,
                    finished_at_us=now_us,
                )
                continue
            leased = msgspec.structs.replace(
                job, status="running", lease=holder, attempts=job.attempts + 1
            )
            if self._change_unchanged(
                job,
                now_us,
                status=leased.status,
                lease=leased.lease,
                attempts=leased.attempts,
                leased_until_us=_lease_end(now_us),
            ):
                return leased

    def save_progress(self, job: Job, progress: msgspec.Struct) -> None:
        """Store where to go on after a kill, and renew the lease. LeaseLostError if it is gone."""
        self._change_held(
            job,
            progress=msgspec.json.encode(progress).decode(),
            leased_until_us=_lease_end(self._clock.now_us()),
        )

    def renew(self, job: Job) -> None:
        """Hold the job for LEASE_SECONDS more. LeaseLostError if it is not held."""
        self._change_held(job, leased_until_us=_lease_end(self._clock.now_us()))

    def finish(self, job: Job, result: msgspec.Struct | None) -> None:
        """The job is done. LeaseLostError if it is not held."""
        self._change_held(
            job,
            status="completed",
            result=None if result is None else msgspec.json.encode(result).decode(),
            error=None,
            lease=None,
            leased_until_us=None,
            finished_at_us=self._clock.now_us(),
        )

    def fail(self, job: Job, error: str, *, final: bool = False) -> None:
        """It failed: queued again with a delay, or failed for good after the last attempt.

        final: for good at once, since no further attempt can end otherwise.
        """
        now_us = self._clock.now_us()
        final = final or job.attempts >= MAX_ATTEMPTS
        delay_us = RETRY_DELAY_SECONDS * job.attempts * MICROSECONDS_PER_SECOND
        self._change_held(
            job,
            status="failed" if final else "queued",
            error=error[:MAX_ERROR_CHARS],
            lease=None,
            leased_until_us=None if final else now_us + delay_us,
            finished_at_us=now_us if final else None,
        )

    def release(self, job: Job) -> None:
        """Give the job back unfinished, at once and without counting the attempt: a shutdown."""
        self._change_held(
            job, status="queued", lease=None, leased_until_us=None, attempts=job.attempts - 1
        )

    def take_back(self) -> None:
        """Queue again what is running, for an only process at its start: its workers are dead.

        The attempt counts: a job that kills the process is given up in the end.
        """
        with self._engine.begin() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.status == "running")
                .values(status="queued", lease=None, leased_until_us=None)
            )

    def cancel(self, account: int | None, kinds: Collection[str], job_id: str) -> Job:
        """Stop the account's job, of one of the kinds, that is not finished; whoever runs it learns
        so at its next save. NotFound if there is none.
        """
        job = self._get(account, kinds, job_id)
        with self._engine.begin() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job.id, jobs.c.status.in_(("queued", "running")))
                .values(
                    status="cancelled",
                    lease=None,
                    leased_until_us=None,
                    finished_at_us=self._clock.now_us(),
                )
            )
        return self._get(account, kinds, job_id)

    def is_under_way(self, account: int | None, kind: str) -> bool:
        """Whether the account has a job of that kind that is not finished."""
        mine = jobs.c.account == account if account is not None else jobs.c.account.is_(None)
        unfinished = select(jobs.c.id).where(
            mine, jobs.c.kind == kind, jobs.c.status.in_(("queued", "running"))
        )
        with self._engine.connect() as connection:
            return connection.execute(unfinished.limit(1)).first() is not None

    def redact(self, job: Job, body: msgspec.Struct) -> None:
        """Write over what was asked for: it must not be kept. LeaseLostError if it is not held."""
        self._change_held(job, input=msgspec.json.encode(body).decode())

    def reclaim(self, kinds: Sequence[str]) -> int:
        """Make jobs due whose worker is known to be gone: no other process can do these kinds."""
        left = and_(jobs.c.kind.in_(kinds), jobs.c.status == "running")
        with self._engine.begin() as connection:
            return connection.execute(
                update(jobs).where(left).values(status="queued", lease=None, leased_until_us=None)
            ).rowcount

    def purge(self, kind: str, before_us: int) -> int:
        """Remove jobs of a kind that were finished before an instant; how many."""
        old = and_(jobs.c.kind == kind, jobs.c.finished_at_us < before_us)
        with self._engine.begin() as connection:
            return connection.execute(delete(jobs).where(old)).rowcount

    def _due(self, kinds: list[str], now_us: int, served: Sequence[int]) -> Any:  # noqa: ANN401 - a SQLAlchemy select
        turns = {account: place for place, account in enumerate(served, 1)}
        turn = [case(turns, value=jobs.c.account, else_=0)] if turns else []
        return (
            select(jobs)
            .where(
                jobs.c.kind.in_(kinds), jobs.c.status.in_(("queued", "running")), _is_due(now_us)
            )
            .order_by(*turn, jobs.c.created_at_us, jobs.c.id)
            .limit(1)
        )

    def _change_unchanged(self, job: Job, now_us: int, **values: object) -> bool:
        """Change a job that is as it was read and due: of two workers that saw it, one succeeds."""
        as_read = and_(
            jobs.c.id == job.id,
            jobs.c.status == job.status,
            jobs.c.attempts == job.attempts,
            _is_due(now_us),
        )
        with self._engine.begin() as connection:
            return connection.execute(update(jobs).where(as_read).values(values)).rowcount == 1

    def _change_held(self, job: Job, **values: object) -> None:
        held = and_(jobs.c.id == job.id, jobs.c.lease == job.lease, jobs.c.status == "running")
        with self._engine.begin() as connection:
            changed = connection.execute(update(jobs).where(held).values(values)).rowcount
        if changed != 1:
            raise LeaseLostError(job.id)


def _is_due(now_us: int | BindParameter[int]) -> ColumnElement[bool]:
    """Not held by a worker, and not waiting for its next attempt."""
    return or_(jobs.c.leased_until_us.is_(None), jobs.c.leased_until_us <= now_us)


_DUE_KINDS: Final = (
    select(jobs.c.kind)
    .where(jobs.c.status.in_(("queued", "running")), _is_due(bindparam("now_us")))
    .distinct()
)


def _lease_end(now_us: int) -> int:
    return now_us + LEASE_SECONDS * MICROSECONDS_PER_SECOND


def _job(row: RowMapping) -> Job:
    return Job(**{field: row[field] for field in Job.__struct_fields__})
