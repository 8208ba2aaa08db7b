"""Every read at one stored size: over HTTP with one client, and its floor beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.floor import Floor
from benchmarks.percentiles import percentile
from benchmarks.questions import Facts, Question
from benchmarks.repeating import Repeats, Taken, repeat
from benchmarks.server import Client, Server
from infraprism_server.clock import iso_utc

_SAMPLES: Final = 40
_ENTITIES: Final = 5
_MOST_FLOOR_CALLS: Final = 20
_FLOOR_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class ReadFigures:
    """One kind of read. `floor_p50_ms` is None where no plain SQL asks the same."""

    question: Question
    taken: Taken
    floor_p50_ms: float | None
    cpu_ms: float
    """Of the server, a call; in ticks of 10 ms, so only the mean of many says something."""


def learn_facts(client: Client, start_us: int, end_us: int, seed: int) -> Facts:
    """Ask the server what there is to ask for."""
    random = Random(seed)
    samples: list[dict[str, Any]] = []
    for _ in range(_SAMPLES):
        before = iso_utc(random.randrange(start_us + 1, end_us))
        query = urlencode({"end_date": before, "limit": 10})
        samples += client.get(f"/v1/events?{query}")["data"]
    customers = "/v1/entities?type=customer&"
    busy = client.get(f"{customers}sort=-total_events&limit={_ENTITIES}")["data"]
    rare = client.get(f"{customers}sort=total_events&limit={_ENTITIES}")["data"]
    return Facts(
        start_us=start_us,
        end_us=end_us,
        busy=[entity["entity_id"] for entity in busy],
        rare=[entity["entity_id"] for entity in rare],
        event_ids=[event["id"] for event in samples],
        sessions=[event["session_id"] for event in samples if event["session_id"]],
    )


def measure(
    question: Question,
    server: Server,
    client: Client,
    floor: Floor | None,
    facts: Facts,
    *,
    repeats: Repeats,
    seed: int,
) -> ReadFigures:
    """Ask one kind of question again and again, then the floor until it has had its time."""
    random = Random(seed)

    def ask() -> float:
        path = question.ask(random, facts).path
        started = time.perf_counter()
        client.raw(path)
        return (time.perf_counter() - started) * 1000

    cpu_before = server.cpu_seconds()
    taken = repeat(ask, repeats)
    cpu_ms = 1000 * (server.cpu_seconds() - cpu_before) / taken.calls
    floor_p50_ms = None
    if floor is not None and question.floor:
        floor_p50_ms = _floor(question, floor, facts, min(repeats.most, _MOST_FLOOR_CALLS), seed)
    return ReadFigures(question, taken, floor_p50_ms, cpu_ms)


def _floor(question: Question, floor: Floor, facts: Facts, calls: int, seed: int) -> float:
    random = Random(seed)
    taken: list[float] = []
    while len(taken) < calls and sum(taken) < _FLOOR_SECONDS * 1000:
        taken.append(floor.ask(question.floor, question.ask(random, facts).values))
    return percentile(sorted(taken), 50)
