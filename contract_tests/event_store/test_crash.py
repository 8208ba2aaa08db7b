"""kill -9 at random moments: what was acknowledged is there, once, and every sum agrees."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract_tests.event_store.crash_child import batch_of
from contract_tests.event_store.engines import ENGINES
from infraprism_server.event_store.contract import EventFilter, Outcome, UsageQuery

_ROOT = Path(__file__).resolve().parents[2]
CYCLES = 3


@pytest.mark.parametrize("engine", list(ENGINES))
def test_acknowledged_events_survive_kill(engine: str, tmp_path: Path) -> None:
    """Four writers in a child that is killed: nothing acknowledged is missing, nothing doubled."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    acknowledged: set[int] = set()
    for cycle in range(CYCLES):
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "contract_tests.event_store.crash_child"),
                *(engine, str(tmp_path), str(cycle)),
            ],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2 + chance.random() * 0.6)
        child.kill()
        acknowledged |= {int(line) for line in child.stdout if line.endswith("\n")}
        child.wait()
        child.stdout.close()
    assert acknowledged, f"seed {seed}"

    store = ENGINES[engine](tmp_path)
    where = EventFilter(account=1)
    events = store.scan_events(where, limit=10_000_000)
    ids = {event.id for event in events}
    assert len(ids) == len(events), f"doubled, seed {seed}"
    missing = [
        number
        for number in acknowledged
        if not ids.issuperset(event.id for event in batch_of(number))
    ]
    assert not missing, f"acknowledged and lost, seed {seed}"
    totals = store.usage(UsageQuery(filter=where, bounds_us=(0, 1 << 55))).totals
    assert totals.events == len(events) == store.list_events(where, limit=1).total
    assert totals.cost_pico == sum(event.cost_pico for event in events)
    listed = store.find_entity(1, "customer", "acme")
    assert listed is not None
    assert listed.sums == totals
    some = min(acknowledged)
    assert store.append(1, batch_of(some)).result(10) == [Outcome.DUPLICATE] * len(batch_of(some))
    store.close(10)
