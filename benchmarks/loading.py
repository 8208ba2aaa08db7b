"""A child process that fills a data folder through the store's bulk path (and the floor's file).

`python -m benchmarks.loading` reads a LoadOrder as JSON on stdin and answers a Loaded on stdout.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.floor import Floor
from benchmarks.generator import Generator, Plan
from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.control_store.start import start_control_store
from infraprism_server.data_folder import lock_folder
from infraprism_server.event_store.contract import EventStore
from infraprism_server.event_store.duckdb.store import open_event_store
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService

_IN_FLIGHT: Final = 2
_EVENTS_A_TURN: Final = 10_000


class LoadOrder(msgspec.Struct, frozen=True):
    """Fill this folder for this account (id or e-mail), and the floor with the same events."""

    data_dir: str
    floor_dir: str | None
    account: str
    events: int
    end_us: int
    seed: int


class Loaded(msgspec.Struct, frozen=True):
    """What was loaded, in seconds and bytes after a clean close."""

    events: int
    seconds: float
    settle_seconds: float
    bytes_on_disk: int
    floor_bytes_on_disk: int


def load(order: LoadOrder) -> Loaded:
    """Generate and insert; the generator works while the writer inserts."""
    folder = Path(order.data_dir)
    clock = SystemClock()
    started = time.perf_counter()
    with lock_folder(folder, None):
        engine = start_control_store(folder, None, clock.now_us(), holds_folder=True)
        account = AccountService(engine, clock).resolve(order.account).number
        instance_id = ensure_installation(engine, clock.now_us()).instance_id
        book = PriceBook()
        pricing = PricingService(engine, clock, book)
        store = open_event_store(folder, instance_id=instance_id, clock=clock)
        generator = Generator(Plan(order.events, order.end_us, order.seed), threads=1)
        floor = None if order.floor_dir is None else Floor(Path(order.floor_dir))
        waiting: deque[Future[int]] = deque()
        loaded = 0
        for table in generator.tables(book, lambda event: pricing.quote(account, event).rate_id):
            waiting.append(store.bulk_append(account, table))
            if floor is not None:
                floor.fill(table)
            if len(waiting) > _IN_FLIGHT:
                loaded += waiting.popleft().result()
        loaded += sum(future.result() for future in waiting)
        seconds = time.perf_counter() - started
        _settle(store, account, loaded)
        settle_seconds = time.perf_counter() - started - seconds
        generator.close()
        store.close(60.0)
        engine.dispose()
    floor_size = 0 if floor is None else floor.close()
    size = sum(path.stat().st_size for path in folder.glob("events.duckdb*"))
    return Loaded(loaded, seconds, settle_seconds, size, floor_size)


def load_in_child(order: LoadOrder) -> Loaded:
    """`load` in a process of its own, whose memory and files are gone when it answers."""
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.loading"],
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(child.stdout, type=Loaded)


def _settle(store: EventStore, account: int, events: int) -> None:
    """Let the writer do its housekeeping, of which it does a little after each piece of work."""
    for _ in range(events // _EVENTS_A_TURN + 100):
        store.remember_entities(account, []).result()


if __name__ == "__main__":
    answer = load(msgspec.json.decode(sys.stdin.buffer.read(), type=LoadOrder))
    sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
