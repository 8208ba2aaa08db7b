"""The DuckDB file itself: who may open it, how it is migrated, and what a full disk does."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from contract_tests.event_store.engines import INSTANCE, open_duckdb, open_duckdb_eager
from contract_tests.event_store.samples import NOON, event
from infraprism_server.clock import SystemClock
from infraprism_server.errors import StartupError, Unavailable
from infraprism_server.event_store.contract import (
    EntityQuery,
    EventFilter,
    Outcome,
    TagKey,
    UsageQuery,
)
from infraprism_server.event_store.duckdb import schema
from infraprism_server.event_store.duckdb.database import FILE_NAME, Database
from infraprism_server.event_store.duckdb.store import DuckDBEventStore, open_event_store

_ROOT = Path(__file__).resolve().parents[2]


def refusal(folder: Path, **options: object) -> str:
    """The one line an opening is refused with."""
    with pytest.raises(StartupError) as refused:
        open_event_store(
            folder,
            **({"instance_id": INSTANCE, "clock": SystemClock()} | options),  # type: ignore[arg-type]
        )
    message = refused.value.message
    assert "\n" not in message
    return message


def test_another_instance_is_refused(tmp_path: Path) -> None:
    """Two stores that do not belong together are never mixed."""
    open_duckdb(tmp_path).close(5)
    assert "belongs to instance ins_test" in refusal(tmp_path, instance_id="ins_other")
    open_duckdb(tmp_path).close(5)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An old program does not touch what a newer one wrote."""
    open_duckdb(tmp_path).close(5)
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    assert "schema version 99" in refusal(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """Neither other bytes nor another program's tables are taken over."""
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 1_000)
    assert "is not a DuckDB file" in refusal(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")
    assert "something else" in refusal(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """The folder is made by whoever decides where data lives, not here."""
    assert "folder" in refusal(tmp_path / "missing")


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    """In this process at once, in another one with the number of the process that has it."""
    opened = open_duckdb(tmp_path)
    assert "in this process" in refusal(tmp_path)
    opened.close(5)
    code = (
        "import sys, pathlib; from contract_tests.event_store.engines import open_duckdb;"
        "store = open_duckdb(pathlib.Path(sys.argv[1])); print('open', flush=True);"
        "sys.stdin.readline(); store.close(5)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "open\n"
        assert f"is open in process {child.pid}" in refusal(tmp_path)
        child.stdin.write("\n")
    open_duckdb(tmp_path).close(5)


def test_migrations_run_in_order_after_a_copy(tmp_path: Path) -> None:
    """An older file is copied, every step is taken once, and the events are still there."""
    opened = open_duckdb(tmp_path)
    opened.append(1, [event(1)]).result(10)
    opened.close(5)
    steps = (
        *schema.STEPS,
        schema.Step(4, ("ALTER TABLE events ADD COLUMN colour VARCHAR",)),
        schema.Step(5, ("UPDATE events SET colour = 'blue'",)),
    )
    for _ in range(2):
        database = Database(
            tmp_path, instance_id=INSTANCE, memory_limit_mb=256, threads=1, steps=steps
        )
        assert database.schema_version == 5
        with database.snapshot() as cursor:
            assert cursor.execute("SELECT colour FROM events").fetchall() == [("blue",)]
        database.close()
    copies = sorted(path.name for path in tmp_path.glob("*.before-*"))
    assert copies == [f"{FILE_NAME}.before-version-4"]
    with duckdb.connect(str(tmp_path / copies[0]), read_only=True) as before:
        assert before.execute("SELECT count(*) FROM events").fetchall() == [(1,)]
        assert before.execute(
            "SELECT value FROM meta WHERE name = 'schema_version'"
        ).fetchall() == [("3",)]
    assert "schema version 5" in refusal(tmp_path)


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    """A failed migration is refused as a whole; the old program still opens the file."""
    open_duckdb(tmp_path).close(5)
    steps = (
        *schema.STEPS,
        schema.Step(4, ("ALTER TABLE events ADD COLUMN colour VARCHAR", "SELECT nothing")),
    )
    with pytest.raises(StartupError):
        Database(tmp_path, instance_id=INSTANCE, memory_limit_mb=256, threads=1, steps=steps)
    opened = open_duckdb(tmp_path)
    assert opened.append(1, [event(1)]).result(10) == [Outcome.ACCEPTED]
    opened.close(5)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file can grow, as if the disk were full, until the test ends or lifts it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("room", [0, 50_000, 600_000, 3_000_000])
@pytest.mark.parametrize("open_store", [open_duckdb, open_duckdb_eager])
def test_a_full_disk_loses_nothing_and_heals(
    tmp_path: Path, open_store: Callable[[Path], DuckDBEventStore], room: int
) -> None:
    """Batches fail as unavailable while nothing can be written, reads go on, then writes do too.

    The log is what can not grow with one setting, the file itself (a failed checkpoint, after
    which DuckDB gives its handles up) with the other.
    """
    opened = open_store(tmp_path)
    stored = [event(number) for number in range(50)]
    assert opened.append(1, stored).result(10) == [Outcome.ACCEPTED] * 50
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = max(path.stat().st_size for path in tmp_path.iterdir()) + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    failed = []
    try:
        for number in range(1, 100):
            batch = [
                event(number * 1_000 + k, tags=f'{{"n":"{number * 1_000 + k}"}}')
                for k in range(500)
            ]
            try:
                opened.append(1, batch).result(30)
                stored += batch
            except Unavailable:
                failed.append(batch)
                assert not opened.status().healthy
                assert opened.list_events(EventFilter(account=1), limit=1).total == len(stored)
                if len(failed) == 3:
                    break
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert len(failed) == 3
    for batch in failed:
        assert opened.append(1, batch).result(30) == [Outcome.ACCEPTED] * 500
        stored += batch
    assert opened.status().healthy
    opened.close(10)
    again = open_duckdb(tmp_path)
    assert {e.id for e in again.scan_events(EventFilter(account=1), limit=10**6)} == {
        e.id for e in stored
    }
    usage = UsageQuery(
        filter=EventFilter(account=1), bounds_us=(0, NOON * 2), group_by=(TagKey("n"),)
    )
    assert again.usage(usage).totals.events == len(stored)
    entity = again.find_entity(1, "customer", "acme")
    assert entity is not None
    assert entity.sums.events == len(stored)
    again.close(10)


def test_readers_and_a_close_do_not_hurt_each_other(tmp_path: Path) -> None:
    """Readers that run while the store closes get an answer or Unavailable, never a crash."""
    opened = open_duckdb(tmp_path)
    opened.append(1, [event(number) for number in range(2_000)]).result(10)
    wrong: list[BaseException] = []
    started = threading.Barrier(5)

    def read() -> None:
        started.wait()
        try:
            while True:
                assert opened.list_entities(EntityQuery(account=1)).total == 1
                assert opened.list_events(EventFilter(account=1), limit=9).total == 2_000
        except Unavailable:
            return
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test reports it
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    opened.close(5)
    for thread in threads:
        thread.join(10)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)
