"""Ingest over HTTP: load from processes of their own, the server's cost, and a count afterwards."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import msgspec

from benchmarks.load import PLACE, LoadJob, LoadResult, native_prefix, templates
from benchmarks.machine import MemoryWatch
from benchmarks.percentiles import percentile
from benchmarks.server import Client, Server

_MOST_PROCESSES: Final = 2
_READERS: Final = 3


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """One run. Events are those answered as accepted, and found again afterwards."""

    events: int
    requests: int
    refused: int
    events_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    server_cpu_us_per_event: float
    generator_cpu_us_per_event: float
    peak_rss_bytes: int


def run(
    server: Server, job: LoadJob, *, beside: Callable[[Client], None] | None = None
) -> IngestFigures:
    """Run a job (its connections spread over processes), and verify what is stored after it.

    `beside` is asked again and again, over three connections, while the load runs.
    RuntimeError when a request failed or when the accepted events are not the stored ones.
    """
    client = server.client()
    stored_before = client.stored_events()
    client.close()  # the server lets go of connections that are idle for as long as a run takes
    with _processes(job) as processes, MemoryWatch(server.group) as memory:
        cpu_before = server.cpu_seconds()
        with _asking(server, beside):
            for process in processes:
                _tell(process, "go\n")
            results = [_answer(process) for process in processes]
        cpu_seconds = server.cpu_seconds() - cpu_before
    failures = [text for result in results for text in result.failures]
    if failures:
        raise RuntimeError(f"{len(failures)} connections failed, the first: {failures[0]}")
    accepted = sum(result.accepted for result in results)
    stored = client.stored_events() - stored_before
    client.close()
    if stored != accepted:
        raise RuntimeError(f"{accepted} events were accepted, {stored} are stored")
    return _figures(results, accepted, cpu_seconds, memory.peak_bytes)


def _figures(
    results: list[LoadResult], accepted: int, cpu_seconds: float, peak_rss_bytes: int
) -> IngestFigures:
    seconds = max(result.ended for result in results) - min(result.started for result in results)
    latencies = sorted(value for result in results for value in result.latencies_ms)
    each = 1_000_000 / max(accepted, 1)
    return IngestFigures(
        events=accepted,
        requests=len(latencies),
        refused=sum(result.refused for result in results),
        events_per_second=accepted / seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        max_ms=latencies[-1],
        server_cpu_us_per_event=cpu_seconds * each,
        generator_cpu_us_per_event=sum(result.cpu_seconds for result in results) * each,
        peak_rss_bytes=peak_rss_bytes,
    )


@contextmanager
def _processes(job: LoadJob) -> Iterator[list[subprocess.Popen[str]]]:
    """The load generator's processes, ready to begin."""
    how_many = min(_MOST_PROCESSES, job.connections)
    processes: list[subprocess.Popen[str]] = []
    try:
        for number in range(how_many):
            own = job.connections // how_many + (number < job.connections % how_many)
            part = msgspec.structs.replace(job, connections=own, seed=job.seed * 1_000 + number)
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "benchmarks.load"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
            _tell(process, msgspec.json.encode(part).decode() + "\n")
        for process in processes:
            if _line(process) != "ready\n":
                raise RuntimeError("a load generator did not get ready; its message is above")
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _tell(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _answer(process: subprocess.Popen[str]) -> LoadResult:
    line = _line(process)
    if not line:
        raise RuntimeError("a load generator ended without an answer; its message is above")
    return msgspec.json.decode(line, type=LoadResult)


@contextmanager
def _asking(server: Server, beside: Callable[[Client], None] | None) -> Iterator[None]:
    if beside is None:
        yield
        return
    over = threading.Event()

    def ask() -> None:
        client = server.client()
        while not over.is_set():
            # A heavy read may be refused under load: that is an answer too.
            with contextlib.suppress(RuntimeError):
                beside(client)
        client.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(_READERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def first_batch_ms(server: Server, job: LoadJob) -> float:
    """How long one batch takes; the first one after a start also pays for what is read lazily."""
    (body,) = templates(job, 1)
    client = server.client()
    started = time.perf_counter()
    client.post("/v1/events", body.replace(PLACE, native_prefix(0)))
    taken = time.perf_counter() - started
    client.close()
    return taken * 1000


def run_until_killed(server: Server, job: LoadJob, seconds: float) -> int:
    """Kill the server with SIGKILL under load. Events that were answered as accepted before."""
    with _processes(job) as processes:
        for process in processes:
            _tell(process, "go\n")
        time.sleep(seconds)
        server.kill()
        return sum(_answer(process).accepted for process in processes)


def count_invisible(client: Client, job: LoadJob, posts: int) -> int:
    """Post single events and ask for each at once: how many were not there."""
    missing = 0
    (body,) = templates(job, 1)
    for number in range(posts):
        fresh = body.replace(PLACE, native_prefix(number))
        client.post("/v1/events", fresh)
        event_id = json.loads(fresh)["events"][0]["id"]
        try:
            client.raw(f"/v1/events/{event_id}")
        except RuntimeError:
            missing += 1
    return missing
