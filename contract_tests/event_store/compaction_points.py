"""A process that ends at one exact point of a compaction while it appends; what it promised holds.

`die_at` is the process: it appends batch after batch, prints each one's number once it is
acknowledged, compacts, and dies.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import Final

from contract_tests.event_store.crash_child import batch_of
from contract_tests.event_store.engines import INSTANCE
from contract_tests.event_store.kill_points import verify_promises
from contract_tests.harness.forked import run_forked
from infraprism_server.clock import SystemClock
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

_PER_RUN: Final = 1_000_000
_COPIED: Final = 0.9
"""What `tell` hears when events and sums are copied."""
POINTS: Final = (
    "while events are copied",
    "before the files change",
    "between the rename and the opening",
    "after the files have changed",
)


class DyingDatabase(Database):
    """Ends the process at a point of `replace`."""

    point = ""
    replacing = False

    def replace(self, whole: Path) -> None:
        if self.point == "before the files change":
            _die()
        self.replacing = True
        super().replace(whole)
        _die()

    def _open(self) -> None:
        if self.replacing and self.point == "between the rename and the opening":
            _die()
        super()._open()


def run_points(folder: Path) -> int:
    """Die at each point of the same store, verify each time; batches acknowledged."""
    acknowledged: set[int] = set()
    for number, point in enumerate(POINTS):
        done = run_forked(die_at, folder, point, number * _PER_RUN)
        assert done.returncode == -signal.SIGKILL, done.stderr
        before = len(acknowledged)
        acknowledged |= {
            int(line) for line in done.stdout.splitlines(keepends=True) if "\n" in line
        }
        assert len(acknowledged) > before, point
        verify_promises(folder, acknowledged, point)
    return len(acknowledged)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(folder: Path, point: str, first: int) -> None:
    database = DyingDatabase(folder, instance_id=INSTANCE, memory_limit_mb=256, threads=2)
    database.point = point
    store = DuckDBEventStore(
        database,
        clock=SystemClock(),
        max_waiting_events=100_000,
        folding=Folding(after_events=200, chunk_events=100),
    )
    enough = threading.Event()

    def append() -> None:
        for number in count(first):
            store.append(1, batch_of(number)).result(30)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            if number == first + 20:
                enough.set()

    threading.Thread(target=append, daemon=True).start()
    enough.wait()

    def tell(part: float) -> None:
        if point == "while events are copied" and part < _COPIED:
            _die()

    store.compact(tell)
    time.sleep(30)
