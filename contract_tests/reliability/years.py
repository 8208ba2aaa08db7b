"""What keeps a folder well for years, done under load and killed in the middle: nothing is amiss.

Retention, erasure, compaction, backup and restore on a server that is written to all the while.
After each the sums agree with each other, with the events, and with what was acknowledged.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.loading import LoadOrder, load_in_child
from benchmarks.percentiles import percentile
from contract_tests.harness.client import CONNECTION_ERRORS, Client
from contract_tests.harness.server_process import COMMAND, ServerProcess, TestAccount
from contract_tests.harness.traffic import batch
from infraprism_server.ids import EVENT, new_id

RANGE = "start_date=2020-01-01&end_date=2035-01-01"
BATCH = 50
KEPT_DAYS = 90
_WAIT_SECONDS = 900.0


WORK = ("backup", "retention", "erase an entity", "erase, pseudonymise", "compact")
FIGURES_HEAD = (
    "| work | seconds | MB before | MB after | insert p99 ms | insert max ms | highest RSS MB |\n"
    "|---|---|---|---|---|---|---|\n"
)


@dataclass
class Figure:
    """One piece of work as it was measured."""

    name: str
    seconds: float
    bytes_before: int
    bytes_after: int
    insert_p99_ms: float
    insert_max_ms: float
    inserts: int
    highest_rss: int
    kills: int

    def line(self) -> str:
        return (
            f"| {self.name} | {self.seconds:.1f}"
            f" | {self.bytes_before / 1e6:,.0f} | {self.bytes_after / 1e6:,.0f}"
            f" | {self.insert_p99_ms:.0f} | {self.insert_max_ms:.0f}"
            f" | {self.highest_rss / 1e6:,.0f} |"
        )


@dataclass
class Reporter:
    """Sends small batches, one after the other, and again until each is acknowledged."""

    server: ServerProcess
    account: TestAccount
    seed: int
    acknowledged: int = 0
    milliseconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        random, number = Random(self.seed), 0
        now_us = time.time_ns() // 1_000
        while not self.stop.is_set():
            number += 1
            events = batch(random, f"years-{self.seed}-{number}", BATCH)
            for place, event in enumerate(events):
                event["timestamp"] = _iso(now_us - place * 1_000_000)
                event["id"] = new_id(EVENT)
                event["entity_type"], event["entity_id"] = "team", "reporters"
            self._until_acknowledged(events)
            time.sleep(0.02)

    def _until_acknowledged(self, events: list[dict[str, Any]]) -> None:
        for attempt in range(2_000):
            client = self.server.client(self.account)
            began = time.perf_counter()
            try:
                answer = client.post("/v1/events", {"events": events})
            except CONNECTION_ERRORS:
                time.sleep(0.05)
                continue
            finally:
                client.close()
            if answer.status == 503:
                time.sleep(0.05)
                continue
            if attempt == 0:
                self.milliseconds.append((time.perf_counter() - began) * 1_000)
            told = answer.json()
            if answer.status != 200 or told["accepted"] + told["duplicates"] != len(events):
                self.wrong.append(f"{answer.status}: {told}")
            self.acknowledged += len(events)
            return
        self.wrong.append("never acknowledged")


def play_years(
    server: ServerProcess, seed: int, *, events: int, kill: Collection[str] = ()
) -> list[Figure]:
    """Load so many events, then everything in turn; `kill`: in the middle of which, kill -9."""
    account = server.add_account("years")
    other = server.add_account("other")
    server.kill()
    order = LoadOrder(
        data_dir=str(server.data_dir),
        floor_dir=None,
        account=account.email,
        events=events,
        end_us=time.time_ns() // 1_000,
        seed=seed,
    )
    load_in_child(order)
    # As it is shipped, but that nobody waits ten minutes for a look at what is too old.
    server.environment = {
        name: value
        for name, value in server.environment.items()
        if name != "INFRAPRISM_ANOMALY_SECONDS"
    } | {"INFRAPRISM_RETENTION_SECONDS": "0.5"}
    server.start()
    years = _Years(server, account, Random(seed), kill=kill)
    client = server.client(other)
    client.ingest(batch(Random(seed), "other", 100))
    untouched = client.ok(f"/v1/usage?{RANGE}")["totals"]
    client.close()
    with years.reporting(seed):
        years.backup("backup")
        years.retention()
        years.erase_busiest(pseudonymise=False)
        years.erase_busiest(pseudonymise=True)
        years.compaction()
    years.check(years.expected + years.reporter.acknowledged)
    client = server.client(other)
    assert client.ok(f"/v1/usage?{RANGE}")["totals"] == untouched
    client.close()
    years.restore("backup")
    return years.figures


class _Years:
    def __init__(
        self, server: ServerProcess, account: TestAccount, random: Random, *, kill: Collection[str]
    ) -> None:
        self.server, self.account, self.random, self.kill = server, account, random, kill
        self.figures: list[Figure] = []
        self.expected = self._usage(f"/v1/usage?{RANGE}")["events"]
        self.backed_up = (0, 0)
        self.running: subprocess.Popen[bytes] | None = None

    @contextmanager
    def reporting(self, seed: int) -> Iterator[None]:
        self.reporter = Reporter(self.server, self.account, seed)
        thread = threading.Thread(target=self.reporter.work, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.reporter.stop.set()
            thread.join(60)
        assert not self.reporter.wrong, self.reporter.wrong[:3]

    def backup(self, name: str) -> None:
        folder = self.server.folder / name
        before = self.expected + self.reporter.acknowledged
        made = self._do("backup", "backup", str(folder))
        self.backed_up = (before, self.expected + self.reporter.acknowledged + BATCH)
        assert self.backed_up[0] <= made["events"] <= self.backed_up[1] + 100
        assert {path.name for path in folder.iterdir()} == {
            *("events.duckdb", "control.db", "secret.key", "manifest.json")
        }

    def retention(self) -> None:
        """Until nothing older is there; what is younger is all there."""
        client = self.server.client(self.account)
        cut = _iso(time.time_ns() // 1_000 - KEPT_DAYS * 86_400_000_000)
        older = f"/v1/usage?start_date=2020-01-01&end_date={cut}"
        doomed = client.ok(older)["totals"]["events"]
        assert client.patch("/v1/me", {"retention_days": KEPT_DAYS}).status == 200
        client.close()
        with self._measured("retention", "expire"):
            if "retention" in self.kill:
                self._kill_in_the_middle("expire")
            self._until(lambda: self._finished("expire"))
        # What is kept of the hour at the cut would go, uncounted, when the clock's hour is over.
        client = self.server.client(self.account)
        assert client.patch("/v1/me", {"retention_days": None}).status == 200
        client.close()
        self._until(lambda: not self._jobs("expire", "queued", "running"))
        left = self._usage(older)["events"]
        assert left <= doomed * 0.01 + 2_000, "more than an hour of it is left"
        self.expected -= doomed - left

    def erase_busiest(self, *, pseudonymise: bool) -> None:
        client = self.server.client(self.account)
        (busiest,) = client.ok("/v1/entities?type=customer&limit=1&sort=-total_events")["data"]
        totals = client.ok(f"/v1/usage?{RANGE}")["totals"]["cost_usd"]
        client.close()
        name = busiest["entity_id"]
        how = ("--pseudonymise",) if pseudonymise else ()
        label = "erase, pseudonymise" if pseudonymise else "erase an entity"
        whose = ("--account", self.account.id)
        erased = self._do(label, "erase", "entity", "customer", name, "--yes", *whose, *how)
        assert erased["events"] == busiest["total_events"]
        client = self.server.client(self.account)
        assert client.get(f"/v1/entities/customer/{name}").status == 404
        if pseudonymise:
            kept = client.ok(f"/v1/entities/customer/{erased['pseudonym']}")
            assert kept["total_events"] == busiest["total_events"]
            assert kept["total_cost"] == busiest["total_cost"]
            assert client.ok(f"/v1/usage?{RANGE}")["totals"]["cost_usd"] >= totals
        else:
            self.expected -= busiest["total_events"]
        client.close()

    def compaction(self) -> None:
        self._do("compact", "compact")
        assert not list(self.server.data_dir.glob("*compacting*"))

    def restore(self, name: str) -> None:
        """Into a new folder, where a server answers for as many events as were backed up."""
        restored = ServerProcess(self.server.folder / "restored", self.server.environment)
        began = time.monotonic()
        restored.folder.mkdir()
        made = restored.run("restore", str(self.server.folder / name))
        seconds = time.monotonic() - began
        with restored:
            client = restored.client(self.account)
            told = _checked_sums(client)
            client.close()
            assert self.backed_up[0] <= told <= self.backed_up[1]
        size = sum(entry["bytes"] for entry in made["files"])
        self.figures.append(Figure("restore", seconds, size, size, 0, 0, 0, 0, 0))

    def check(self, events: int) -> None:
        client = self.server.client(self.account)
        assert _checked_sums(client) == events
        (team,) = client.ok("/v1/entities?type=team")["data"]
        assert team["total_events"] == self.reporter.acknowledged
        client.close()

    def _do(self, label: str, *arguments: str) -> Any:
        """A command beside the server; killed servers are started again."""
        with self._measured(label, arguments[0]):
            command = subprocess.Popen(
                [str(COMMAND), *arguments, "--data-dir", str(self.server.data_dir), "--json"],
                env=self.server.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self.running = command
            if label in self.kill:
                # An erasure looks first, which is a job of its own.
                self._kill_in_the_middle(arguments[0], after=int(arguments[0] == "erase"))
            out, told = command.communicate(timeout=_WAIT_SECONDS)
        assert command.returncode == 0, told.decode() + self.server.log()
        return json.loads(out)

    def _kill_in_the_middle(self, kind: str, after: int = 0) -> None:
        first = self.finished + after
        self._until(lambda: self._count(kind, "completed") >= first)
        self._until(lambda: self._jobs(kind, "running") or self._count(kind, "completed") > first)
        time.sleep(self.random.uniform(0.0, 0.4))
        self.kills += bool(self._jobs(kind, "running"))
        self.server.restart()

    @contextmanager
    def _measured(self, label: str, kind: str) -> Iterator[None]:
        self.kills = 0
        self.running = None
        first = len(self.reporter.milliseconds)
        before = self._bytes()
        done = threading.Event()
        highest = [self.server.resident_bytes()]

        def look() -> None:
            while not done.wait(0.1):
                try:
                    highest.append(self.server.resident_bytes())
                except (OSError, AssertionError):
                    continue  # it is being started again

        watch = threading.Thread(target=look, daemon=True)
        watch.start()
        self.finished = self._count(kind, "completed")
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        done.set()
        watch.join()
        took = sorted(self.reporter.milliseconds[first:]) or [0.0]
        self.figures.append(
            Figure(
                label,
                seconds,
                before,
                self._bytes(),
                percentile(took, 99),
                took[-1],
                len(took),
                max(highest),
                self.kills,
            )
        )

    def _finished(self, kind: str) -> bool:
        return self._count(kind, "completed") > self.finished and not self._jobs(kind, "running")

    def _jobs(self, kind: str, *statuses: str) -> bool:
        return any(self._count(kind, status) > 0 for status in statuses)

    def _count(self, kind: str, status: str) -> int:
        with closing(sqlite3.connect(self.server.data_dir / "control.db", timeout=30)) as control:
            query = "SELECT count(*) FROM jobs WHERE kind = ? AND status = ?"
            ((count,),) = control.execute(query, (kind, status)).fetchall()
        return int(count)

    def _until(self, condition: Any) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.server.log()
            ended = self.running is not None and self.running.poll()
            assert not ended, self.running.communicate()
            time.sleep(0.02)

    def _bytes(self) -> int:
        return sum(path.stat().st_size for path in self.server.data_dir.glob("events.duckdb*"))

    def _usage(self, question: str) -> Any:
        client = self.server.client(self.account)
        totals = client.ok(question)["totals"]
        client.close()
        return totals


def _checked_sums(client: Client) -> int:
    """Sums by quarter hours, by entity and day, by tags, and from the events are the same."""
    whole = client.ok(f"/v1/usage?{RANGE}")["totals"]
    by_entity = client.ok(f"/v1/usage?{RANGE}&group_by=entity_id&top=5&limit=10")
    parts = [
        client.ok(f"/v1/usage?{RANGE}&success={success}")["totals"] for success in ("true", "false")
    ]
    by_tag = client.ok(f"/v1/usage?{RANGE}&group_by=tags[feature]&limit=100")["data"]
    rows = by_entity["data"]
    for name in ("events", "cost_usd", "input_tokens", "output_tokens"):
        assert by_entity["totals"][name] == whole[name], name
        assert sum(Decimal(str(row[name])) for row in rows) == Decimal(str(whole[name])), name
        for sums in (parts, by_tag):
            assert sum(Decimal(str(one[name])) for one in sums) == Decimal(str(whole[name])), name
    assert client.ok("/v1/events?limit=1")["pagination"]["total"] == whole["events"]
    return int(whole["events"])


def _iso(instant_us: int) -> str:
    seconds, rest = divmod(instant_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:06d}Z"
