"""R2: a disk that loses or changes bytes of the event store; nothing of that goes unnoticed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from random import Random

from contract_tests.event_store.engines import INSTANCE, open_duckdb
from contract_tests.event_store.samples import event
from infraprism_server.clock import SystemClock
from infraprism_server.errors import StartupError, Unavailable
from infraprism_server.event_store.contract import Event, EventFilter, Outcome, UsageQuery
from infraprism_server.event_store.duckdb.database import FILE_NAME
from infraprism_server.event_store.duckdb.store import DuckDBEventStore, open_event_store

MOST_CUT_BYTES = 4_096
_WHERE = EventFilter(account=1)


def damage_log(folder: Path, *, seed: int, times: int) -> int:
    """Cut the log of a store that was killed, or flip a byte of it: named, refused, survivable."""
    random = Random(seed)
    batches = _batches(random)
    killed = folder / "killed"
    _fill(folder / "running", batches, copy_to=killed)
    log = FILE_NAME + ".wal"
    for number in range(times):
        kind, harm = (("cut off", _cut), ("damaged", _flip))[number % 2]
        hurt = folder / f"log-{number}"
        shutil.copytree(killed, hurt)
        harm(hurt / log, random)
        said = refusal(hurt)
        assert kind in said, said
        assert "--accept-loss" in said, said
        assert "acknowledged events" in said, said
        opened = open_accepting(hurt)
        left = {each.id for each in opened.scan_events(_WHERE, limit=10**6)}
        whole = [batch for batch in batches if left.issuperset(each.id for each in batch)]
        assert len(left) == sum(map(len, whole)), f"half a batch is left: seed {seed}"
        assert whole == batches[: len(whole)], f"not the first ones are left: seed {seed}"
        assert len(whole) < len(batches), f"nothing was lost after all: seed {seed}"
        assert opened.usage(UsageQuery(filter=_WHERE, bounds_us=(0, 1 << 55))).totals.events == len(
            left
        )
        lost = batches[len(whole)]
        assert opened.append(1, lost).result(10) == [Outcome.ACCEPTED] * len(lost)
        opened.close(10)
        open_duckdb(hurt).close(10)  # the loss was accepted once; it is not told again
        shutil.rmtree(hurt)
    return times


def damage_file(folder: Path, *, seed: int, times: int) -> int:
    """Cut the file of a store that was closed, or flip a byte of it: refused or said, never wrong.

    DuckDB checks each block when it reads it, so a byte in a block that nobody reads is found when
    somebody does; a byte that no block uses changes nothing.
    """
    random = Random(seed)
    batches = _batches(random)
    closed = folder / "closed"
    _fill(closed, batches)
    for number in range(times):
        harm = (_cut, _flip)[number % 2]
        hurt = folder / f"file-{number}"
        shutil.copytree(closed, hurt)
        harm(hurt / FILE_NAME, random)
        try:
            opened = open_duckdb(hurt)
        except StartupError as error:
            _assert_named(error)
        else:
            assert harm is not _cut, f"a cut file was opened: seed {seed}"
            _check_reads(opened, batches, seed)
        shutil.rmtree(hurt)
    return times


def _check_reads(opened: DuckDBEventStore, batches: list[list[Event]], seed: int) -> None:
    try:
        found = opened.scan_events(_WHERE, limit=10**6)
        totals = opened.usage(UsageQuery(filter=_WHERE, bounds_us=(0, 1 << 55))).totals
    except Unavailable as error:
        _assert_named(error)
    else:
        sent = {each.id: each for batch in batches for each in batch}
        assert {each.id: each for each in found} == sent, f"changed: seed {seed}"
        assert totals.events == len(sent), f"changed: seed {seed}"
    finally:
        opened.close(10)


def _assert_named(error: StartupError | Unavailable) -> None:
    said = error.message
    assert "damaged" in said or "cut off" in said or "is not a DuckDB file" in said, said


def refusal(folder: Path) -> str:
    """What the store is refused with; AssertionError when it is not."""
    try:
        open_duckdb(folder).close(10)
    except StartupError as error:
        return error.message
    raise AssertionError("the damage went unnoticed")


def open_accepting(folder: Path) -> DuckDBEventStore:
    """As `serve --accept-loss` does."""
    return open_event_store(
        folder,
        instance_id=INSTANCE,
        clock=SystemClock(),
        memory_limit_mb=256,
        threads=2,
        accept_loss=True,
    )


def _batches(random: Random) -> list[list[Event]]:
    made = []
    first = 0
    for _ in range(20):
        size = random.randrange(1, 80)
        made.append([event(first + place, cost_pico=first + place) for place in range(size)])
        first += size
    return made


def _fill(folder: Path, batches: list[list[Event]], *, copy_to: Path | None = None) -> None:
    folder.mkdir()
    store = open_duckdb(folder)
    for batch in batches:
        assert store.append(1, batch).result(10) == [Outcome.ACCEPTED] * len(batch)
    if copy_to is not None:  # what a kill -9 at rest leaves behind
        shutil.copytree(folder, copy_to)
    store.close(10)


def _cut(path: Path, random: Random) -> None:
    os.truncate(path, path.stat().st_size - random.randint(1, MOST_CUT_BYTES))


def _flip(path: Path, random: Random) -> None:
    place = random.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(place)
        changed = file.read(1)[0] ^ (1 << random.randrange(8))
        file.seek(place)
        file.write(bytes([changed]))
