"""What is measured by writing to a copy of a loaded folder: ingest, what is told apart, a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks import ingest, reads
from benchmarks.floor import Floor
from benchmarks.generator import SPAN_US
from benchmarks.ingest import IngestFigures
from benchmarks.load import LoadJob
from benchmarks.machine import fsync_ms
from benchmarks.percentiles import percentile
from benchmarks.questions import breakdown_of_all
from benchmarks.report import INGEST, START
from benchmarks.server import Account, Client, Server
from infraprism_server.pricing.price_book import PriceBook

BATCH: Final = 500
CONNECTIONS: Final = (4, 8)
SINGLE_CONNECTIONS: Final = 8
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured. `calls`: of each read, at most.

    `quick`: the shape of a run, not its figures.
    """

    seconds: float
    calls: int
    seed: int
    quick: bool
    floors: bool
    say: Callable[[str], None]


class Writing:
    """One copy. `line` takes a section, what it is, the figure, its unit, and more of a Line."""

    def __init__(
        self,
        folder: Path,
        account: Account,
        end_us: int,
        options: Options,
        line: Callable[..., None],
    ) -> None:
        self._folder = folder
        self._account = account
        self._end_us = end_us
        self._options = options
        self._line = line

    def _job(self, server: Server, connections: int, **more: Any) -> LoadJob:
        return LoadJob(
            port=server.port,
            key=self._account.key,
            connections=connections,
            seconds=self._options.seconds,
            events_each=more.pop("events_each", BATCH),
            seed=self._options.seed,
            **more,
        )

    def ingest(self) -> None:
        """Batches at each number of connections, and single events."""
        floors = {} if self._options.quick else self._ingest_floors()
        with Server(self._folder / "data", self._account.key) as server:
            first_ms = ingest.first_batch_ms(server, self._job(server, 1))
            self._line(INGEST, f"first batch of {BATCH} after the start", first_ms, "ms")
            for connections in CONNECTIONS[:1] if self._options.quick else CONNECTIONS:
                job = self._job(server, connections)
                self._tell_batches(connections, ingest.run(server, job), floors.get(connections))
            self._ingest_singles(server)

    def _tell_batches(
        self, connections: int, figures: IngestFigures, floor: tuple[float, float] | None
    ) -> None:
        name = f"{connections} x {BATCH}"
        floor_speed, floor_cpu = floor or (None, None)
        speed = figures.events_per_second
        self._line(INGEST, name, speed, "events/s", goal=1e5, bound=">=", floor=floor_speed)
        if floor_speed is not None:
            share = 100 * speed / floor_speed
            self._line(INGEST, f"{name}: of the floor", share, "%", goal=50.0, bound=">=")
        cpu = figures.server_cpu_us_per_event
        self._line(INGEST, f"{name}: server CPU", cpu, "µs/event", goal=12.0, floor=floor_cpu)
        self._tell(name, figures)

    def _ingest_singles(self, server: Server) -> None:
        syncs = sorted(fsync_ms(self._folder, 20 if self._options.quick else 200))
        single = self._job(server, SINGLE_CONNECTIONS, events_each=1)
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

    def variants(self) -> None:
        """What is stated apart: foreign ids, compressed bodies, long reads beside."""
        connections = CONNECTIONS[0]
        bodies = int(40 * self._options.seconds)
        random = Random(self._options.seed)
        with Server(self._folder / "data", self._account.key) as server:
            client = server.client()
            seed, end_us = self._options.seed, self._end_us
            facts = reads.learn_facts(client, end_us - SPAN_US, end_us, seed)
            client.close()

            def ask(client: Client) -> None:
                client.raw(breakdown_of_all(random, facts).path)

            plain = partial(self._job, server, connections)
            for name, job, beside, goal_ms in (
                ("foreign ids (UUIDv4)", plain(ids="foreign"), None, None),
                ("gzip", plain(gzip_bodies=bodies), None, None),
                ("beside 3 full-range breakdowns", plain(), ask, 100.0),
            ):
                figures = ingest.run(server, job, beside=beside)
                title = f"{connections} x {BATCH}, {name}"
                self._line(INGEST, title, figures.events_per_second, "events/s")
                cpu = figures.server_cpu_us_per_event
                self._line(INGEST, f"{title}: server CPU", cpu, "µs/event")
                self._tell(title, figures, goal_ms)

    def crash(self) -> None:
        """kill -9 under load, and what is there after it."""
        with Server(self._folder / "data", self._account.key) as server:
            client = server.client()
            before = client.stored_events()
            client.close()
            seconds = 0.5 if self._options.quick else 3.0
            job = self._job(server, CONNECTIONS[0])
            accepted = ingest.run_until_killed(server, job, seconds)
            server.start()
            ready = server.ready_seconds
            self._line(START, "ready after kill -9 under load", ready, "s", goal=10.0)
            client = server.client()
            lost = max(0, before + accepted - client.stored_events())
            client.close()
            self._line(START, "accepted events lost by it", lost, "events", goal=0.0)

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
