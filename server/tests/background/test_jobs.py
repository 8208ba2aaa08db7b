"""Jobs are done once, by someone, whatever dies; one that always fails holds nobody up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, event, insert

from infraprism_server.background.jobs import (
    LEASE_SECONDS,
    MAX_ATTEMPTS,
    JobQueue,
    LeaseLostError,
)
from infraprism_server.background.measures import JobCollector
from infraprism_server.background.worker import JobRun, Worker
from infraprism_server.clock import FixedClock, SystemClock
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.tables import accounts, metadata
from infraprism_server.errors import InvalidRequest, NotFound, Unavailable


class Work(msgspec.Struct):
    name: str = ""


class Counted(msgspec.Struct):
    steps: int = 0


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_control_store(sqlite_url(tmp_path))
    metadata.create_all(engine)
    with engine.begin() as connection:
        row = {"number": 1, "id": "acc_1", "email": "a@example.com", "name": "A", "company": "A"}
        row |= {"plan": "growth", "timezone": "UTC", "created_at_us": 0}
        connection.execute(insert(accounts).values(row))
    yield engine
    engine.dispose()


@pytest.fixture
def queue(engine: Engine, clock: FixedClock) -> JobQueue:
    return JobQueue(engine, clock)


def test_a_job_is_leased_by_one_worker_and_finished(queue):
    made = queue.insert("copy", None, Work("a"))
    held = queue.lease(["copy"], "one")
    assert held is not None
    assert (held.id, held.attempts) == (made.id, 1)
    assert queue.lease(["copy"], "two") is None
    assert queue.lease(["other"], "two") is None
    queue.save_progress(held, Counted(3))
    assert msgspec.json.decode(queue.get(None, "copy", made.id).progress) == {"steps": 3}
    queue.finish(held, Counted(7))
    done = queue.get(None, "copy", made.id)
    assert (done.status, done.result) == ("completed", '{"steps":7}')
    assert queue.lease(["copy"], "two") is None


def test_what_is_due_is_told_by_kind(queue, engine, clock):
    def due(*kinds: str) -> bool:
        return JobQueue(engine, clock).any_due(kinds)  # one that did not look yet

    assert not due("copy")
    queue.insert("copy", None, Work("a"))
    assert due("copy", "other")
    assert not due("other")
    held = queue.lease(["copy"], "one")
    assert not due("copy")
    clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    assert due("copy")
    queue.finish(held, None)
    assert not due("copy")


def test_workers_share_a_look_and_soon_look_again(queue, engine):
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cursor, text, *_: seen.append(text))
    assert not any(queue.any_due([kind]) for kind in "abcdefgh")
    assert len([text for text in seen if "jobs" in text]) == 1
    queue.insert("h", None, Work("a"))
    deadline = time.monotonic() + 10
    while not queue.any_due("h"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_of_many_workers_one_gets_the_job(queue):
    for number in range(10):
        queue.insert("copy", None, Work(str(number)))
    taken: list[str] = []

    def take(holder: str) -> None:
        while (job := queue.lease(["copy"], holder)) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 10


def test_a_killed_workers_job_is_taken_over_and_the_late_one_is_told(queue, clock):
    queue.insert("copy", None, Work())
    dead = queue.lease(["copy"], "dead")
    assert dead is not None
    clock.advance(timedelta(seconds=LEASE_SECONDS - 1))
    queue.renew(dead)
    clock.advance(timedelta(seconds=LEASE_SECONDS - 1))
    assert queue.lease(["copy"], "heir") is None
    clock.advance(timedelta(seconds=1))
    heir = queue.lease(["copy"], "heir")
    assert heir is not None
    assert heir.attempts == 2
    for late in (queue.renew, lambda job: queue.finish(job, None)):
        with pytest.raises(LeaseLostError):
            late(dead)
    queue.finish(heir, None)


def test_a_start_takes_back_what_a_killed_process_had_under_way(queue):
    made = queue.insert("copy", None, Work())
    waiting = queue.insert("copy", None, Work())
    dead = queue.lease(["copy"], "dead")
    assert dead is not None
    queue.take_back()
    heir = queue.lease(["copy"], "heir")
    assert heir is not None
    assert (heir.id, heir.attempts) == (made.id, 2)
    assert queue.get(None, "copy", waiting.id).attempts == 0
    with pytest.raises(LeaseLostError):
        queue.renew(dead)


def test_what_can_not_be_done_fails_at_once(queue):
    made = queue.insert("copy", None, Work())

    def refuses(run: JobRun) -> None:
        raise InvalidRequest("There are too many rows")

    assert Worker(queue, {"copy": refuses}).run_due() == 1
    job = queue.get(None, "copy", made.id)
    assert (job.status, job.error) == ("failed", "There are too many rows")


def test_a_failing_job_is_tried_again_later_and_then_given_up_with_its_error(queue, clock):
    poison = queue.insert("poison", None, Work())
    good = queue.insert("copy", None, Work())
    ran: list[str] = []

    def fails(run: JobRun) -> None:
        ran.append(run.job.id)
        raise Unavailable("The disk is full; free some space")

    worker = Worker(queue, {"poison": fails, "copy": lambda run: ran.append(run.job.id)})
    worker.run_due()
    assert ran == [poison.id, good.id]
    assert queue.get(None, "copy", good.id).status == "completed"
    for _ in range(MAX_ATTEMPTS + 2):
        clock.advance(timedelta(minutes=2))
        worker.run_due()
    assert ran.count(poison.id) == MAX_ATTEMPTS
    given_up = queue.get(None, "poison", poison.id)
    assert (given_up.status, given_up.error) == ("failed", "The disk is full; free some space")


def test_a_job_that_kills_its_workers_is_given_up(queue, clock):
    made = queue.insert("copy", None, Work())
    for _ in range(MAX_ATTEMPTS):
        assert queue.lease(["copy"], "dead") is not None
        clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    assert queue.lease(["copy"], "heir") is None
    assert queue.get(None, "copy", made.id).status == "failed"


def test_an_internal_error_shows_its_kind_and_not_its_text(queue):
    made = queue.insert("copy", None, Work())

    def fails(run: JobRun) -> None:
        raise RuntimeError("secret path")

    Worker(queue, {"copy": fails}).run_due()
    job = queue.get(None, "copy", made.id)
    assert job.error is not None
    assert "RuntimeError" in job.error
    assert "secret" not in job.error


def test_a_cancelled_job_stops_at_its_next_save(queue):
    made = queue.insert("copy", 1, Work())

    def long(run: JobRun) -> None:
        queue.cancel(1, ("copy",), made.id)
        run.save(Counted(1))
        raise AssertionError("it went on")

    Worker(queue, {"copy": long}).run_due()
    assert queue.get(1, "copy", made.id).status == "cancelled"


def test_a_job_is_found_by_its_account_and_kind_alone(queue):
    made = queue.insert("copy", 1, Work())
    assert queue.get(1, "copy", made.id).id == made.id
    for account, kind in ((2, "copy"), (None, "copy"), (1, "other")):
        with pytest.raises(NotFound):
            queue.get(account, kind, made.id)


def test_the_thread_works_when_nudged_and_stops_in_the_middle_of_a_job(engine):
    queue = JobQueue(engine, SystemClock())
    started = threading.Event()

    def endless(run: JobRun) -> None:
        started.set()
        while True:
            run.pause(0.01)

    worker = Worker(queue, {"copy": endless})
    worker.start()
    made = queue.insert("copy", None, Work())
    worker.nudge()
    assert started.wait(5)
    begun = time.monotonic()
    assert worker.stop(5)
    assert time.monotonic() - begun < 2
    job = queue.get(None, "copy", made.id)
    assert (job.status, job.attempts, job.lease) == ("queued", 0, None)


def test_accounts_take_turns_where_asked_and_none_waits_for_all_jobs_of_another(
    queue: JobQueue, engine: Engine, clock: FixedClock
) -> None:
    row = {"id": "acc_2", "email": "b@example.com", "name": "B", "company": "B"}
    row |= {"plan": "growth", "timezone": "UTC", "created_at_us": 0, "number": 2}
    with engine.begin() as connection:
        connection.execute(insert(accounts).values(row))

    def order(*, by_turns: bool) -> str:
        for account, count in ((1, 4), (2, 2)):
            for number in range(count):
                queue.insert("copy", account, Work(f"{account}{'abcd'[number]}"))
                clock.advance(timedelta(seconds=1))
        ran: list[str] = []
        worker = Worker(
            queue, {"copy": lambda run: ran.append(run.input(Work).name)}, by_turns=by_turns
        )
        assert worker.run_due() == 6
        return " ".join(ran)

    assert order(by_turns=True) == "1a 2a 1b 2b 1c 1d"
    assert order(by_turns=False) == "1a 1b 1c 1d 2a 2b"


def test_metrics_say_how_jobs_stand_and_how_long_the_oldest_waits(queue, clock):
    queue.insert("copy", None, Work("a"))
    clock.advance(timedelta(seconds=90))
    queue.insert("copy", None, Work("b"))
    held = queue.lease(["copy"], "one")
    assert held is not None
    queue.finish(held, None)
    clock.advance(timedelta(seconds=10))
    registry = CollectorRegistry()
    registry.register(JobCollector(queue, clock))
    labels = {"kind": "copy", "status": "queued"}
    assert registry.get_sample_value("infraprism_jobs", labels) == 1
    assert registry.get_sample_value("infraprism_jobs_oldest_seconds", labels) == 10
    done = {"kind": "copy", "status": "completed"}
    assert registry.get_sample_value("infraprism_jobs", done) == 1
    assert registry.get_sample_value("infraprism_jobs_oldest_seconds", done) is None
