"""The database's own threads stand back, wherever it is opened from."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.library_threads import NICE, standing_back
from infraprism_server.one_core import stay_on_one_core


def tasks() -> set[int]:
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def nice(task: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, task)


@pytest.mark.parametrize("on_one_core", [False, True])
def test_a_databases_workers_run_after_ours_on_any_core(tmp_path: Path, on_one_core: bool) -> None:
    before = tasks()
    found: list[tuple[int, set[int]]] = []
    own: list[int] = []

    def run() -> None:
        if on_one_core:
            stay_on_one_core()
        database = Database(tmp_path, instance_id="i", memory_limit_mb=64, threads=3)
        workers = tasks() - before - {threading.get_native_id()}
        found.extend((nice(task), os.sched_getaffinity(task)) for task in workers)
        own.append(nice(threading.get_native_id()))
        database.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    everywhere = os.sched_getaffinity(os.getpid())
    assert len(found) >= 2
    assert set(map(str, found)) == {str((NICE, everywhere))}
    assert own == [nice(os.getpid())]


def test_a_thread_of_ours_that_starts_meanwhile_is_left_alone() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    with standing_back():
        thread.start()
    assert thread.native_id is not None
    assert nice(thread.native_id) == nice(threading.get_native_id())
    over.set()
    thread.join()
