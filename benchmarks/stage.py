"""Everything that is measured at one stored size, part by part, in a data folder of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import dashboard, exporting, machine, overload, reads
from benchmarks.floor import FILE_NAME as FLOOR_FILE
from benchmarks.floor import Floor
from benchmarks.generator import SPAN_US
from benchmarks.loading import Loaded, LoadOrder, load_in_child
from benchmarks.percentiles import percentile
from benchmarks.questions import QUESTIONS
from benchmarks.repeating import Repeats
from benchmarks.report import EXPORTS, OVERLOAD, PAGES, READS, START, STORAGE, Line, Part
from benchmarks.server import Account, Server, create_account
from benchmarks.writing import Options, Writing
from infraprism_server.clock import MICROSECONDS_PER_DAY as DAY
from infraprism_server.clock import iso_utc

PARTS: Final = (
    "storage",
    "start",
    "reads",
    "dashboard",
    "exports",
    "ingest",
    "variants",
    "crash",
    "overload",
)
PARTS_WHEN_EMPTY: Final = ("start", "ingest", "overload")

_MIB: Final = 1 << 20
_CHART_CALLS: Final = 25


class Prepared(msgspec.Struct, frozen=True):
    """A folder that is loaded: whose it is, when its events end, what loading it took."""

    account: Account
    end_us: int
    loaded: Loaded | None


class Stage:
    """One stored size. The loaded folder is only read; what writes works on a copy of it."""

    def __init__(self, folder: Path, events: int, options: Options) -> None:
        self._folder = folder
        self._events = events
        self._options = options
        self._lines: list[Line] = []
        self._asked: Server | None = None

    def measure(self, name: str) -> Part:
        """One of PARTS."""
        self._lines = []
        prepared = self._prepare()
        part = Part(machine.now(), machine.load_average(), self._lines)
        started = time.perf_counter()
        match name:
            case "storage":
                self._storage(prepared)
            case "start":
                self._start(prepared)
            case "reads":
                self._reads(prepared)
            case "dashboard":
                self._dashboard(prepared)
            case "exports":
                self._exports(prepared)
            case "overload":
                self._overload()
            case _:
                with self._copy(floor=name == "ingest") as copy:
                    writing = Writing(
                        copy, prepared.account, prepared.end_us, self._options, self._line
                    )
                    {
                        "ingest": writing.ingest,
                        "variants": writing.variants,
                        "crash": writing.crash,
                    }[name]()
        part.seconds = time.perf_counter() - started
        return part

    def close(self) -> None:
        """Stop the server that a quick run's parts share."""
        if self._asked is not None:
            self._asked.stop()
            self._asked = None

    def remove(self) -> None:
        """The folder and everything in it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _prepare(self) -> Prepared:
        """Load the folder, unless that was done before."""
        note = self._folder / "prepared.json"
        if note.exists():
            return msgspec.json.decode(note.read_bytes(), type=Prepared)
        self.remove()
        self._folder.mkdir(parents=True)
        account = create_account(self._folder / "data")
        end_us = time.time_ns() // 1_000
        loaded = None
        if self._events:
            self._options.say("loading ...")
            loaded = load_in_child(
                LoadOrder(
                    data_dir=str(self._folder / "data"),
                    floor_dir=str(self._folder),
                    account=account.id,
                    events=self._events,
                    end_us=end_us,
                    seed=self._options.seed,
                )
            )
        prepared = Prepared(account, end_us, loaded)
        note.write_bytes(msgspec.json.encode(prepared))
        return prepared

    @contextmanager
    def _reading(self, prepared: Prepared) -> Iterator[Server]:
        """A server over the loaded folder, to be asked; parts of a quick run share one."""
        if self._asked is None:
            self._asked = Server(self._folder / "data", prepared.account.key)
            self._asked.start()
        try:
            yield self._asked
        finally:
            if not self._options.quick:
                self.close()

    @contextmanager
    def _copy(self, *, floor: bool) -> Iterator[Path]:
        """A copy to write to; with the floor's file where that is written to as well."""
        self.close()
        copy = self._folder.with_name(self._folder.name + "-copy")
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(self._folder / "data", copy / "data")
            if floor and (self._folder / FLOOR_FILE).exists():
                shutil.copyfile(self._folder / FLOOR_FILE, copy / FLOOR_FILE)
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def _line(self, section: str, what: str, figure: float, unit: str, **more: Any) -> None:
        line = Line(
            section=section, what=what, stored=self._events, figure=figure, unit=unit, **more
        )
        self._lines.append(line)
        self._options.say("  ".join(cell for cell in line.cells() if cell))

    def _storage(self, prepared: Prepared) -> None:
        loaded = prepared.loaded
        if loaded is None:
            return
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

    def _start(self, prepared: Prepared) -> None:
        server = Server(self._folder / "data", prepared.account.key)
        with server:
            goal = 5.0 if self._events else 2.0
            self._line(START, "ready", server.ready_seconds, "s", goal=goal)
            time.sleep(0.0 if self._options.quick else 2.0)
            memory_goal = None if self._events else 250.0
            self._line(START, "memory, idle", server.rss_bytes() / _MIB, "MiB", goal=memory_goal)
        self._line(START, "exit after SIGTERM", server.exit_seconds, "s", goal=10.0)

    def _repeats(self, seconds: float) -> Repeats:
        return Repeats(self._options.calls, seconds=seconds)

    def _reads(self, prepared: Prepared) -> None:
        with self._reading(prepared) as server:
            client = server.client()
            floor = Floor(self._folder) if self._options.floors else None
            seed, end_us = self._options.seed, prepared.end_us
            facts = reads.learn_facts(client, end_us - SPAN_US, end_us, seed)
            for question in QUESTIONS:
                figures = reads.measure(
                    question, server, client, floor, facts, repeats=self._repeats(6.0), seed=seed
                )
                self._line(
                    READS,
                    question.name,
                    figures.taken.p99_ms,
                    "ms",
                    goal=question.goal_ms,
                    median=figures.taken.p50_ms,
                    first=figures.taken.first_ms,
                    floor=figures.floor_p50_ms,
                    cpu_ms=figures.cpu_ms,
                )
            self._line(
                READS, "memory after all reads", server.rss_bytes() / _MIB, "MiB", goal=1_500.0
            )
            if floor is not None:
                floor.close()
            client.close()

    def _dashboard(self, prepared: Prepared) -> None:
        quick = self._options.quick
        with self._reading(prepared) as server:
            client = server.client()
            end_us = prepared.end_us
            facts = reads.learn_facts(client, end_us - SPAN_US, end_us, self._options.seed)
            client.close()
            visitor = dashboard.Visitor(server.port, prepared.account.key)
            for figures in dashboard.measure(server, visitor, facts, self._repeats(3.0)):
                follows = figures.shown.follows
                self._line(
                    PAGES,
                    f"{figures.shown.name}: numbers that follow" if follows else figures.shown.name,
                    figures.taken.p99_ms,
                    "ms",
                    goal=None if follows else dashboard.PAGE_GOAL_MS,
                    median=figures.taken.p50_ms,
                    first=figures.taken.first_ms,
                    cpu_ms=figures.cpu_ms,
                )
            charts = dashboard.measure_charts(server, visitor, facts, _CHART_CALLS)
            for shown, taken in () if quick else charts:
                p50, p99 = percentile(taken, 50), percentile(taken, 99)
                goal = dashboard.CHART_GOAL_MS
                what = f"{shown.name}: charts drawn after"
                self._line(PAGES, what, p99, "ms", goal=goal, median=p50)
            visitor.close()

    def _exports(self, prepared: Prepared) -> None:
        with self._reading(prepared) as server:
            client = server.client()
            floor = Floor(self._folder)
            first = iso_utc(prepared.end_us - SPAN_US - DAY)
            last = iso_utc(prepared.end_us + DAY)
            speed, floor_speed = exporting.rows_per_second(client, floor, start=first, end=last)
            more: dict[str, Any] = {"goal": 1e6, "bound": ">=", "floor": floor_speed}
            self._line(EXPORTS, "csv, until completed", speed, "rows/s", **more)
            floor.close()
            client.close()

    def _overload(self) -> None:
        folder = self._folder.with_name(self._folder.name + "-overload")
        seconds = self._options.seconds
        found = overload.measure(folder, seconds=seconds, connections=64, seed=self._options.seed)
        shutil.rmtree(folder, ignore_errors=True)
        if found.wrong or not found.stored_equals_accepted:
            raise RuntimeError(f"the overload run went wrong: {found.wrong[:1]}")
        best, goodput = found.best_events_per_second, found.accepted_events_per_second
        self._line(OVERLOAD, "best goodput", best, "events/s")
        self._line(OVERLOAD, "offered", found.offered_events_per_second, "events/s")
        self._line(OVERLOAD, "accepted", goodput, "events/s")
        share = found.share_of_best_percent
        self._line(OVERLOAD, "accepted: of the best", share, "%", goal=80.0, bound=">=")
        self._line(OVERLOAD, "accepted: latency", found.accepted_p99_ms, "ms")
        self._line(OVERLOAD, "refused (429, 503)", found.refused, "requests")
        self._line(OVERLOAD, "refused: latency", found.refused_p99_ms, "ms")
        self._line(OVERLOAD, "memory, more than before", found.memory_more_mib, "MiB")
        growth = found.memory_growth_mib
        self._line(OVERLOAD, "memory, second half above the first", growth, "MiB", goal=50.0)
