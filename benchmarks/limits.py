"""`python -m benchmarks.limits`: ingest with 10,000 limits beside ingest with none; status p99.

Both runs have one server, one account and one folder; they take turns, so that what else the
machine does is shared by both. Half of the limits block, so that each answer looks them up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import quote

from rich.console import Console

from benchmarks import ingest, machine
from benchmarks.load import LoadJob
from benchmarks.percentiles import percentile
from benchmarks.report import INGEST, READS, Line, Part, Report
from benchmarks.server import Account, Server, create_account
from benchmarks.workload import CUSTOMERS, customer
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.tables import accounts, limits
from infraprism_server.ids import new_id

LIMITS: Final = 10_000
_BATCH: Final = 500
_CONNECTIONS: Final = 4
_GOAL_RATIO: Final = 1.1
_GOAL_STATUS_MS: Final = 5.0
_PERIODS: Final = ("hour", "day", "week", "month", "total")


def main(words: list[str]) -> int:
    """Measure and print a table; 0 when it ran, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--limits", type=int, default=LIMITS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each ingest run [5]")
    parser.add_argument("--turns", type=int, default=3, help="runs of each kind [3]")
    parser.add_argument("--calls", type=int, default=2_000, help="status questions [2000]")
    given = parser.parse_args(words)
    report = Report(" ".join(["python -m benchmarks.limits", *words]), machine.describe())
    part = report.parts["limits"] = Part(machine.now(), machine.load_average())
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="infraprism-bench-") as folder:
        _measure(Path(folder) / "data", given, part)
    part.seconds = time.perf_counter() - began
    report.print_to(Console(highlight=False, width=150))
    return 0


def _measure(data: Path, given: argparse.Namespace, part: Part) -> None:
    account = create_account(data)
    cpu: dict[bool, list[float]] = {False: [], True: []}
    speed: dict[bool, list[float]] = {False: [], True: []}
    latencies: list[float] = []
    for turn in range(given.turns):
        for limited in (False, True):
            _set_limits(data, given.limits if limited else 0)
            with Server(data, account.key) as server:
                time.sleep(2.0)  # the sums are read
                job = _job(server, account, given.seconds, turn * 2 + limited)
                figures = ingest.run(server, job)
                cpu[limited].append(figures.server_cpu_us_per_event)
                speed[limited].append(figures.events_per_second)
                if limited:
                    latencies += _ask_status(server, given.calls // given.turns)
    name = f"{_CONNECTIONS} x {_BATCH}, {given.limits:,} limits"
    for what, unit, found in (
        ("events/s", "events/s", speed),
        ("server CPU", "µs/event", cpu),
    ):
        figure, floor = median(found[True]), median(found[False])
        part.lines.append(
            Line(
                section=INGEST,
                what=f"{name}: {what} (floor: none)",
                stored=None,
                figure=figure,
                unit=unit,
                floor=floor,
            )
        )
    ratio = median(cpu[True]) / median(cpu[False])
    part.lines.append(
        Line(
            section=INGEST,
            what=f"{name}: server CPU, times that without limits",
            stored=None,
            figure=ratio,
            unit="times",
            goal=_GOAL_RATIO,
        )
    )
    latencies.sort()
    part.lines.append(
        Line(
            section=READS,
            what=f"GET /v1/limits/status, {given.limits:,} limits",
            stored=None,
            figure=percentile(latencies, 99),
            unit="ms",
            goal=_GOAL_STATUS_MS,
            median=percentile(latencies, 50),
        )
    )


def _job(server: Server, account: Account, seconds: float, seed: int) -> LoadJob:
    return LoadJob(
        port=server.port,
        key=account.key,
        connections=_CONNECTIONS,
        seconds=seconds,
        events_each=_BATCH,
        seed=1 + seed,
    )


def _set_limits(data: Path, count: int) -> None:
    """Exactly so many limits, five periods of each customer in turn, none of which is reached."""
    engine = open_control_store(sqlite_url(data))
    with engine.begin() as connection:
        number = connection.execute(accounts.select()).mappings().one()["number"]
        connection.execute(limits.delete())
        rows = [
            {
                "id": new_id("lim"),
                "account": number,
                "entity_type": "customer",
                "entity_id": customer(1 + place % CUSTOMERS),
                "metric": "cost_usd",
                "amount": str(10**21),
                "period": _PERIODS[place // CUSTOMERS % len(_PERIODS)],
                "timezone": "Europe/Berlin",
                "action": "block" if place % 2 else "notify",
                "approaching": '["0.8"]',
                "created_at_us": 0,
                "updated_at_us": 0,
            }
            for place in range(count)
        ]
        if rows:
            connection.execute(limits.insert(), rows)
    engine.dispose()


def _ask_status(server: Server, calls: int) -> list[float]:
    """Milliseconds of each answer, over one connection."""
    client = server.client()
    took = []
    for number in range(calls):
        name = quote(customer(1 + number % CUSTOMERS))
        began = time.perf_counter()
        client.raw(f"/v1/limits/status?entity_type=customer&entity_id={name}")
        took.append((time.perf_counter() - began) * 1_000)
    client.close()
    return took


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
