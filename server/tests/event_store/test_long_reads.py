"""Long reads take turns, and none may take for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infraprism_server.errors import Unavailable
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.long_reads import Deadlines, LongReads

ENDLESS = "SELECT count(*) FROM range(1_000_000_000_000) a, range(1_000) b"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(
        tmp_path, instance_id="i", memory_limit_mb=128, threads=1, read_timeout_seconds=0.2
    )
    yield opened
    opened.close()


def test_one_at_a_time_and_the_next_when_it_is_over() -> None:
    """A second reader waits for the first, and gets its turn then."""
    reads = LongReads(1)
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with reads.turn():
            order.append("second")

    thread = threading.Thread(target=second)
    with reads.turn():
        thread.start()
        assert waiting.wait(5)
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_those_beyond_the_waiting_room_are_refused_at_once() -> None:
    """Unavailable with seconds to wait; a turn that is given back is there for the next."""
    reads = LongReads(1, most_waiting=0)
    with (
        reads.turn(),
        pytest.raises(Unavailable, match="too many long questions") as refused,
        reads.turn(),
    ):
        pass
    assert refused.value.retry_after_seconds >= 1
    with reads.turn():
        pass


def test_patience_has_an_end_and_leaves_no_place_taken() -> None:
    """Who waited in vain is refused, again and again, and blocks nobody afterwards."""
    reads = LongReads(1, most_waiting=1, patience_seconds=0.01)
    with reads.turn():
        for _ in range(3):
            with pytest.raises(Unavailable), reads.turn():
                pass
    with reads.turn():
        pass


def test_a_question_that_takes_too_long_is_ended(database: Database) -> None:
    """Unavailable that says so; the thread's next question is answered as ever."""
    for _ in range(2):
        with (
            pytest.raises(Unavailable, match=r"took longer than 0\.2 s"),
            database.snapshot() as cursor,
        ):
            cursor.execute(ENDLESS).fetchall()
        with database.snapshot() as cursor:
            assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_background_work_is_not_ended(database: Database) -> None:
    """What nobody waits for takes as long as it takes: longer than the bound here."""
    end = time.monotonic() + 0.5
    with database.snapshot(timed=False) as cursor:
        while time.monotonic() < end:
            ((total,),) = cursor.execute("SELECT sum(range) FROM range(2_000_000)").fetchall()
            assert total == 1_999_999_000_000


def test_a_cursor_that_ended_in_time_is_let_go(database: Database) -> None:
    """Between two questions nothing is watched, so nothing is interrupted."""
    deadlines = Deadlines(0.05)
    with database.snapshot(timed=False) as cursor:
        with deadlines.watch(cursor):
            pass
        threading.Event().wait(0.3)
        assert cursor.execute("SELECT count(*) FROM range(1_000_000)").fetchall() == [(1_000_000,)]
    deadlines.close()
