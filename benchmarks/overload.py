"""Twice as much as the server can take: what it still does, and who is told how soon.

    python -m benchmarks.overload [--seconds 8] [--connections 64] [--json FILE]

First the best goodput, each connection waiting for its answer. Then as many batches a second as
are twice that, on a schedule that does not wait for answers (an open loop): what is accepted, how
soon the rest is refused, and how the memory goes.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks import ingest, machine
from benchmarks.load import PLACE, LoadJob, native_prefix, templates
from benchmarks.percentiles import percentile
from benchmarks.server import Server, create_account

BATCH: Final = 500
BEST_CONNECTIONS: Final = 8
_MIB: Final = 1 << 20


@dataclass
class Overload:
    """What came of one run. Latencies in ms; goodput in events/s."""

    best_events_per_second: float = 0.0
    offered_events_per_second: float = 0.0
    accepted_events_per_second: float = 0.0
    share_of_best_percent: float = 0.0
    accepted_p99_ms: float = 0.0
    refused: int = 0
    refused_p99_ms: float = 0.0
    memory_before_mib: float = 0.0
    memory_early_mib: float = 0.0
    memory_late_mib: float = 0.0
    """The highest in the first half of the overload, and in the second: a queue without a bound
    would grow. What is stored meanwhile takes 40 to 85 MiB a million events for itself."""
    stored_equals_accepted: bool = False
    wrong: list[str] = field(default_factory=list)

    @property
    def memory_more_mib(self) -> float:
        """What the first half took beyond what was there before."""
        return self.memory_early_mib - self.memory_before_mib

    @property
    def memory_growth_mib(self) -> float:
        """What the second half took beyond the first."""
        return self.memory_late_mib - self.memory_early_mib


class _Sender(threading.Thread):
    """Posts its share of the schedule; when it is late it posts at once, without a pause."""

    def __init__(self, port: int, key: str, bodies: list[bytes], every: float, end: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._bodies = bodies
        self._every = every
        self._end = end
        self.accepted_ms: list[float] = []
        self.refused_ms: list[float] = []
        self.accepted = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        due = time.perf_counter()
        for number in count():
            now = time.perf_counter()
            if now >= self._end:
                break
            if due > now:
                time.sleep(due - now)
            due += self._every
            body = self._bodies[number % len(self._bodies)]
            began = time.perf_counter()
            fresh = body.replace(PLACE, native_prefix(number))
            connection.request("POST", "/v1/events", fresh, self._headers)
            response = connection.getresponse()
            answer = response.read()
            milliseconds = (time.perf_counter() - began) * 1000
            if response.status == 200:
                self.accepted += msgspec.json.decode(answer)["accepted"]
                self.accepted_ms.append(milliseconds)
            elif response.status in (429, 503) and response.getheader("Retry-After"):
                self.refused_ms.append(milliseconds)
            else:
                self.wrong.append(f"{response.status}: {answer[:200]!r}")
        connection.close()


def measure(data_dir: Path, *, seconds: float, connections: int, seed: int) -> Overload:
    """Best goodput, then twice as much, on one server over a new folder."""
    account = create_account(data_dir)
    with Server(data_dir, account.key) as server:
        job = LoadJob(server.port, account.key, BEST_CONNECTIONS, seconds, BATCH, seed=seed)
        best = ingest.run(server, job).events_per_second
        client = server.client()
        before = client.stored_events()
        client.close()
        memory_before = server.rss_bytes() / _MIB
        every = connections * BATCH / (2 * best)
        bodies = templates(job, 2 * connections)
        started = time.perf_counter()
        senders = [
            _Sender(server.port, account.key, bodies[n::connections], every, started + seconds)
            for n in range(connections)
        ]
        with machine.MemoryWatch(server.group) as early:
            for sender in senders:
                sender.start()
            time.sleep(max(0.0, started + seconds / 2 - time.perf_counter()))
        with machine.MemoryWatch(server.group) as late:
            for sender in senders:
                sender.join()
        took = time.perf_counter() - started
        accepted = sum(sender.accepted for sender in senders)
        refused_ms = sorted(each for sender in senders for each in sender.refused_ms)
        accepted_ms = sorted(each for sender in senders for each in sender.accepted_ms)
        asked = len(refused_ms) + len(accepted_ms)
        stored = client.stored_events() - before
        client.close()
        return Overload(
            best_events_per_second=best,
            offered_events_per_second=asked * BATCH / took,
            accepted_events_per_second=accepted / took,
            share_of_best_percent=100 * accepted / took / best,
            accepted_p99_ms=percentile(accepted_ms, 99),
            refused=len(refused_ms),
            refused_p99_ms=percentile(refused_ms, 99) if refused_ms else 0.0,
            memory_before_mib=memory_before,
            memory_early_mib=early.peak_bytes / _MIB,
            memory_late_mib=late.peak_bytes / _MIB,
            stored_equals_accepted=stored == accepted,
            wrong=[each for sender in senders for each in sender.wrong][:5],
        )


def main(words: list[str]) -> int:
    """Print the figures; 1 when an answer was wrong or the stored events are not the accepted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="infraprism-overload-") as folder:
        figures = measure(
            Path(folder) / "data",
            seconds=given.seconds,
            connections=given.connections,
            seed=given.seed,
        )
    values: dict[str, Any] = asdict(figures)
    for name, value in values.items():
        shown = f"{value:,.1f}" if isinstance(value, float) else value
        sys.stdout.write(f"{name}: {shown}\n")
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode(values))
    return 0 if figures.stored_equals_accepted and not figures.wrong else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
