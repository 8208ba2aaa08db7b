"""R2, R3: every point a commit can be cut at, a disk that damages, syncs that fail."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from contract_tests.event_store.damage import damage_file, damage_log
from contract_tests.event_store.engines import INSTANCE, open_duckdb
from contract_tests.event_store.kill_points import POINTS, run_point
from contract_tests.event_store.samples import event
from infraprism_server.clock import SystemClock
from infraprism_server.errors import StartupError, Unavailable
from infraprism_server.event_store.contract import EventFilter, Outcome
from infraprism_server.event_store.duckdb.commit_record import (
    FILE_NAME,
    SLOT_BYTES,
    SLOTS,
    CommitRecord,
)
from infraprism_server.event_store.duckdb.database import FILE_NAME as EVENTS_NAME
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

SEED = 20260202


class Disk:
    """Syncs that are counted, and fail when told to."""

    def __init__(self) -> None:
        self.syncs = 0
        self.broken = False

    def sync(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(descriptor)
        self.syncs += 1


def opened_on(folder: Path, disk: Disk) -> DuckDBEventStore:
    record = CommitRecord(folder / EVENTS_NAME, sync=disk.sync)
    database = Database(folder, instance_id=INSTANCE, memory_limit_mb=256, threads=2, record=record)
    return DuckDBEventStore(
        database, clock=SystemClock(), max_waiting_events=100_000, folding=Folding()
    )


@pytest.mark.parametrize("point", POINTS)
def test_r2_what_was_acknowledged_survives_every_kill_point(tmp_path: Path, point: str) -> None:
    """R2: the process dies at this point of a commit; nothing acknowledged is lost or doubled."""
    assert run_point(tmp_path, point, seed=SEED, times=2) > 2


def test_r2_a_log_that_lost_or_changed_bytes_is_named_and_survivable(tmp_path: Path) -> None:
    """R2: cut by 1 to 4096 bytes or a byte flipped: refused by name; the first commits remain."""
    assert damage_log(tmp_path, seed=SEED, times=10) == 10


def test_r2_a_file_that_lost_or_changed_bytes_never_answers_wrongly(tmp_path: Path) -> None:
    """R2: the same with the file itself, after an orderly end."""
    assert damage_file(tmp_path, seed=SEED, times=12) == 12


def test_r2_each_acknowledged_commit_was_synced(tmp_path: Path) -> None:
    """R2: at least one sync of the log and one of the record for each commit, before its answer."""
    disk = Disk()
    store = opened_on(tmp_path, disk)
    for number in range(20):
        before = disk.syncs
        assert store.append(1, [event(number)]).result(10) == [Outcome.ACCEPTED]
        assert disk.syncs - before >= 2
    store.close(10)


def test_r3_a_sync_that_fails_is_not_acknowledged_and_heals(tmp_path: Path) -> None:
    """R3: Unavailable while the disk can not sync, each event once when it can again."""
    disk = Disk()
    store = opened_on(tmp_path, disk)
    batch = [event(number) for number in range(10)]
    assert store.append(1, batch).result(10) == [Outcome.ACCEPTED] * 10
    disk.broken = True
    late = [event(number) for number in range(10, 20)]
    for _ in range(3):
        with pytest.raises(Unavailable):
            store.append(1, late).result(10)
        assert not store.status().healthy
    disk.broken = False
    outcomes = store.append(1, late).result(10)
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.DUPLICATE}
    assert store.status().healthy
    assert store.list_events(EventFilter(account=1), limit=1).total == 20
    store.close(10)
    open_duckdb(tmp_path).close(10)


def test_r2_an_older_copy_of_the_file_is_refused(tmp_path: Path) -> None:
    """R2: a file that was put back without its record lacks what was acknowledged since."""
    store = open_duckdb(tmp_path)
    store.append(1, [event(1)]).result(10)
    store.close(10)
    old = (tmp_path / EVENTS_NAME).read_bytes()
    store = open_duckdb(tmp_path)
    store.append(1, [event(2), event(3)]).result(10)
    store.close(10)
    (tmp_path / EVENTS_NAME).write_bytes(old)
    with pytest.raises(StartupError, match="2 of 3 acknowledged events are lost"):
        open_duckdb(tmp_path)
    (tmp_path / EVENTS_NAME).unlink()
    with pytest.raises(StartupError, match=r"events\.duckdb is missing"):
        open_duckdb(tmp_path)


def test_r2_a_record_that_was_not_written_whole_counts_as_not_written(tmp_path: Path) -> None:
    """R2: the one before it counts; without any, the store is what there is."""
    store = open_duckdb(tmp_path)
    for number in range(5):
        store.append(1, [event(number)]).result(10)
    store.close(10)
    record = tmp_path / FILE_NAME
    assert record.stat().st_size == SLOTS * SLOT_BYTES
    for slot in range(SLOTS):
        with record.open("r+b") as file:
            file.seek(slot * SLOT_BYTES + 20)
            file.write(b"\xff")
        store = open_duckdb(tmp_path)
        assert store.status().events == 5
        store.close(10)
    record.unlink()
    open_duckdb(tmp_path).close(10)
