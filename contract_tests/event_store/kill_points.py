"""R2: a process that ends at one exact point of a commit, again and again; what it promised holds.

`die_at` is the process: it appends batch after batch, prints each one's number once it is
acknowledged, and dies.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from contract_tests.event_store.crash_child import EVENTS_PER_BATCH, batch_of
from contract_tests.event_store.engines import INSTANCE, open_duckdb
from contract_tests.harness.forked import run_forked
from infraprism_server.clock import SystemClock
from infraprism_server.event_store.contract import EventFilter, Outcome, UsageQuery
from infraprism_server.event_store.duckdb.commit_record import CommitRecord
from infraprism_server.event_store.duckdb.database import FILE_NAME, Database
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

_PER_RUN = 1_000_000

# Which call of the record's sync, counted within one commit (log, then record), is the last.
_SYNCS: Final = {"before the log's sync": (0, False), "after the log's sync": (0, True)} | {
    "before the record's sync": (1, False),
    "after the record's sync": (1, True),
}
_LOG_GROWTH: Final = 60_000
_BEYOND_EVERY_LOG: Final = 600_000
_WRITES: Final = ("in a write of the log", "in a checkpoint")
"""The kernel ends the process at a write beyond a place in a file: one that the log reaches soon,
or one that it never reaches, but a checkpoint does."""
POINTS: Final = ("before a write", *_SYNCS, "after the answer", *_WRITES)


def run_point(folder: Path, point: str, *, seed: int, times: int) -> int:
    """Die `times` times at one point of the same store, verify each time; batches acknowledged."""
    random = Random(seed)
    acknowledged: set[int] = set()
    for number in range(times):
        done = run_forked(die_at, folder, point, number * _PER_RUN, random.randrange(2, 30))
        assert done.returncode in (-signal.SIGKILL, -signal.SIGXFSZ), done.stderr
        acknowledged |= {
            int(line) for line in done.stdout.splitlines(keepends=True) if "\n" in line
        }
        assert acknowledged, f"{point}, seed {seed}: nothing was acknowledged"
        verify_promises(folder, acknowledged, f"{point}, seed {seed}, time {number}")
    return len(acknowledged)


def verify_promises(folder: Path, acknowledged: set[int], told: str) -> None:
    """Everything acknowledged is there once, every sum agrees, and writing goes on."""
    store = open_duckdb(folder)
    where = EventFilter(account=1)
    events = store.scan_events(where, limit=10_000_000)
    ids = {event.id for event in events}
    assert len(ids) == len(events), f"doubled: {told}"
    lost = [n for n in acknowledged if not ids.issuperset(event.id for event in batch_of(n))]
    assert not lost, f"acknowledged and lost: {told}"
    totals = store.usage(UsageQuery(filter=where, bounds_us=(0, 1 << 55))).totals
    assert totals.events == len(events), told
    assert totals.cost_pico == sum(event.cost_pico for event in events), told
    again = store.append(1, batch_of(min(acknowledged))).result(10)
    assert again == [Outcome.DUPLICATE] * EVENTS_PER_BATCH, told
    store.close(10)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_sync(last_call: int, *, afterwards: bool) -> Callable[[int], None]:
    calls = count()

    def sync(descriptor: int) -> None:
        call = next(calls)
        if call == last_call and not afterwards:
            _die()
        os.fdatasync(descriptor)
        if call == last_call:
            _die()

    return sync


def die_at(folder: Path, point: str, first: int, after: int) -> None:
    sync: Callable[[int], None] = os.fdatasync
    if point in _SYNCS:
        place, afterwards = _SYNCS[point]
        # Two calls when the store is opened (one without a log), two with each batch.
        sync = _dying_sync(2 * after + place, afterwards=afterwards)
    store = DuckDBEventStore(
        Database(
            folder,
            instance_id=INSTANCE,
            memory_limit_mb=256,
            threads=2,
            # A log that is written has no checkpoint: nothing of the file lies beyond its limit.
            checkpoint_threshold="1GB" if point == "in a write of the log" else "256KB",
            record=CommitRecord(folder / FILE_NAME, sync=sync),
        ),
        clock=SystemClock(),
        max_waiting_events=100_000,
        folding=Folding(after_events=200, chunk_events=100),
    )
    for number in count(first):
        if point in _WRITES and number == first + after:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            allowed = _BEYOND_EVERY_LOG
            if point == "in a write of the log":
                allowed = (folder / f"{FILE_NAME}.wal").stat().st_size + _LOG_GROWTH
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, allowed))
        if point == "before a write" and number == first + after:
            store._writer.submit(_die)
        store.append(1, batch_of(number)).result(30)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        if point == "after the answer" and number == first + after:
            _die()
