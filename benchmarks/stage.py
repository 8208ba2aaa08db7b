"""Everything that is measured at one stored size, in a data folder of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks import exporting, ingest, reads
from benchmarks.floor import Floor
from benchmarks.generator import SPAN_US
from benchmarks.ingest import IngestFigures
from benchmarks.load import LoadJob
from benchmarks.loading import LoadOrder, load_in_child
from benchmarks.machine import fsync_ms
from benchmarks.percentiles import percentile
from benchmarks.questions import QUESTIONS, Facts, breakdown
from benchmarks.report import EXPORTS, INGEST, READS, START, STORAGE, Line, Report
from benchmarks.server import Account, Client, Server, create_account
from infraprism_server.clock import MICROSECONDS_PER_DAY as DAY
from infraprism_server.clock import iso_utc
from infraprism_server.pricing.price_book import PriceBook

BATCH: Final = 500
CONNECTIONS: Final = (4, 8)
SINGLE_CONNECTIONS: Final = 8
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured. `calls`: of each read; `quick`: the shape of a run, not its figures."""

    seconds: float
    calls: int
    seed: int
    quick: bool
    say: Callable[[str], None]


class Stage:
    """One stored size, from an empty folder to a crash."""

    def __init__(self, folder: Path, events: int, options: Options, report: Report) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._events = events
        self._options = options
        self._report = report

    def measure(self) -> None:
        """All of it; the folder is removed afterwards."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        try:
            account = create_account(self._data)
            end_us = time.time_ns() // 1_000
            if self._events:
                self._load(account, end_us)
            floors = {} if self._options.quick else self._ingest_floors()
            server = Server(self._data, account.key)
            with server:
                self._started(server)
                if self._events:
                    facts = self._read(server, end_us)
                    self._ingest(server, account, floors)
                    self._ingest_variants(server, account, facts)
                    self._crash(server, account)
                else:
                    self._ingest(server, account, floors)
            self._line(START, "exit after SIGTERM", server.exit_seconds, "s", goal=10.0)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _line(self, section: str, what: str, figure: float, unit: str, **more: Any) -> None:
        line = Line(
            section=section, what=what, stored=self._events, figure=figure, unit=unit, **more
        )
        self._report.add(line)
        self._options.say("  ".join(cell for cell in line.cells() if cell))

    def _load(self, account: Account, end_us: int) -> None:
        loaded = load_in_child(
            LoadOrder(
                data_dir=str(self._data),
                floor_dir=str(self._folder),
                account=account.id,
                events=self._events,
                end_us=end_us,
                seed=self._options.seed,
            )
        )
        seconds = loaded.seconds + loaded.settle_seconds
        self._line(STORAGE, "bulk load, generating included", loaded.events / seconds, "events/s")
        self._line(
            STORAGE,
            "size on disk",
            loaded.bytes_on_disk / loaded.events,
            "B/event",
            goal=45.0,
            floor=loaded.floor_bytes_on_disk / loaded.events,
        )

    def _ingest_floors(self) -> dict[int, tuple[float, float]]:
        """By connections: events/s and CPU µs an event of groups as large as theirs together."""
        floor = Floor(self._folder)
        book = PriceBook()
        found = {
            connections: floor.ingest(
                book, lambda _event: 1, connections * BATCH, self._options.seconds
            )
            for connections in CONNECTIONS
        }
        floor.close()
        return found

    def _started(self, server: Server) -> None:
        goal = 5.0 if self._events else 2.0
        self._line(START, "ready", server.ready_seconds, "s", goal=goal)
        time.sleep(0.0 if self._options.quick else 2.0)
        memory_goal = None if self._events else 250.0
        self._line(START, "memory, idle", server.rss_bytes() / _MIB, "MiB", goal=memory_goal)

    def _read(self, server: Server, end_us: int) -> Facts:
        client = server.client()
        floor = Floor(self._folder)
        seed = self._options.seed
        facts = reads.learn_facts(client, end_us - SPAN_US, end_us, seed)
        for question in QUESTIONS:
            figures = reads.measure(
                question, client, floor, facts, calls=self._options.calls, seed=seed
            )
            self._line(
                READS,
                question.name,
                figures.p99_ms,
                "ms",
                goal=question.goal_ms,
                median=figures.p50_ms,
                floor=figures.floor_p50_ms,
            )
        first, last = iso_utc(end_us - SPAN_US - DAY), iso_utc(end_us + DAY)
        speed, floor_speed = exporting.rows_per_second(client, floor, start=first, end=last)
        more: dict[str, Any] = {"goal": 1e6, "bound": ">=", "floor": floor_speed}
        self._line(EXPORTS, "csv, until completed", speed, "rows/s", **more)
        floor.close()
        client.close()
        return facts

    def _job(self, server: Server, account: Account, connections: int, **more: Any) -> LoadJob:
        return LoadJob(
            port=server.port,
            key=account.key,
            connections=connections,
            seconds=self._options.seconds,
            events_each=more.pop("events_each", BATCH),
            seed=self._options.seed,
            **more,
        )

    def _ingest(
        self, server: Server, account: Account, floors: dict[int, tuple[float, float]]
    ) -> None:
        """Batches at each number of connections, and single events."""
        first_ms = ingest.first_batch_ms(server, self._job(server, account, 1))
        self._line(INGEST, f"first batch of {BATCH} after the start", first_ms, "ms")
        for connections in CONNECTIONS[:1] if self._options.quick else CONNECTIONS:
            figures = ingest.run(server, self._job(server, account, connections))
            name = f"{connections} x {BATCH}"
            floor_speed, floor_cpu = floors.get(connections, (None, None))
            speed = figures.events_per_second
            self._line(INGEST, name, speed, "events/s", goal=1e5, bound=">=", floor=floor_speed)
            if floor_speed is not None:
                share = 100 * speed / floor_speed
                self._line(INGEST, f"{name}: of the floor", share, "%", goal=50.0, bound=">=")
            cpu = figures.server_cpu_us_per_event
            self._line(INGEST, f"{name}: server CPU", cpu, "µs/event", goal=12.0, floor=floor_cpu)
            self._tell(name, figures)
        syncs = sorted(fsync_ms(self._folder, 20 if self._options.quick else 200))
        single = self._job(server, account, SINGLE_CONNECTIONS, events_each=1)
        figures = ingest.run(server, single)
        name = f"{SINGLE_CONNECTIONS} x 1"
        self._line(INGEST, name, figures.events_per_second, "events/s")
        self._line(
            INGEST,
            f"{name}: latency",
            figures.p99_ms,
            "ms",
            goal=25.0,
            median=figures.p50_ms,
            floor=percentile(syncs, 50),
        )
        client = server.client()
        missing = ingest.count_invisible(client, single, 5 if self._options.quick else 100)
        client.close()
        self._line(INGEST, "not visible right after the answer", missing, "events", goal=0.0)

    def _tell(self, name: str, figures: IngestFigures, p99_goal_ms: float | None = None) -> None:
        """What every run of batches tells."""
        p50, p99 = figures.p50_ms, figures.p99_ms
        self._line(INGEST, f"{name}: latency", p99, "ms", goal=p99_goal_ms, median=p50)
        self._line(INGEST, f"{name}: longest", figures.max_ms, "ms")
        peak = figures.peak_rss_bytes / _MIB
        self._line(INGEST, f"{name}: memory, highest", peak, "MiB", goal=1_500.0)
        cpu = figures.generator_cpu_us_per_event
        self._line(INGEST, f"{name}: load generator's CPU", cpu, "µs/event")
        if figures.refused:
            self._line(INGEST, f"{name}: refused (429, 503)", figures.refused, "requests")

    def _ingest_variants(self, server: Server, account: Account, facts: Facts) -> None:
        """What is stated apart: foreign ids, compressed bodies, long reads beside."""
        if self._options.quick:
            return
        connections = CONNECTIONS[0]
        bodies = int(40 * self._options.seconds)
        random = Random(self._options.seed)

        def ask(client: Client) -> None:
            client.raw(breakdown(random, facts).path)

        plain = partial(self._job, server, account, connections)
        for name, job, beside, goal_ms in (
            ("foreign ids (UUIDv4)", plain(ids="foreign"), None, None),
            ("gzip", plain(gzip_bodies=bodies), None, None),
            ("beside 3 breakdowns", plain(), ask, 100.0),
        ):
            figures = ingest.run(server, job, beside=beside)
            title = f"{connections} x {BATCH}, {name}"
            self._line(INGEST, title, figures.events_per_second, "events/s")
            cpu = figures.server_cpu_us_per_event
            self._line(INGEST, f"{title}: server CPU", cpu, "µs/event")
            self._tell(title, figures, goal_ms)

    def _crash(self, server: Server, account: Account) -> None:
        """kill -9 under load, and what is there after it. The server runs again afterwards."""
        client = server.client()
        before = client.stored_events()
        client.close()
        seconds = 0.5 if self._options.quick else 3.0
        job = self._job(server, account, CONNECTIONS[0])
        accepted = ingest.run_until_killed(server, job, seconds)
        server.start()
        self._line(START, "ready after kill -9 under load", server.ready_seconds, "s", goal=10.0)
        client = server.client()
        lost = max(0, before + accepted - client.stored_events())
        client.close()
        self._line(START, "accepted events lost by it", lost, "events", goal=0.0)
