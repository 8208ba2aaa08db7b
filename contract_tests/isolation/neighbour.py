"""An account far above its limit, and another that only wants its own: the scenario of R22."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Thread

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import one_event

TIMES_THE_LIMIT = 10
_SENDERS = 4


@dataclass
class Neighbour:
    """What became of both: A's answers by status, B's latencies alone and beside A."""

    statuses: Counter[int] = field(default_factory=Counter)
    alone_ms: list[float] = field(default_factory=list)
    beside_ms: list[float] = field(default_factory=list)

    def p99_ms(self, taken: list[float]) -> float:
        return sorted(taken)[max(0, -(-99 * len(taken) // 100) - 1)]


def beside_a_noisy_one(
    server: ServerProcess, noisy: TestAccount, quiet: TestAccount, *, limit: int, calls: int
) -> Neighbour:
    """R22: B reads and writes, first alone, then beside A at ten times its limit a minute.

    AssertionError when B is refused anything, or A is answered anything but 200 and 429.
    """
    found = Neighbour()
    client = server.client(quiet)
    _calls(client, calls // 10)  # whatever is read lazily is read now
    found.alone_ms = _calls(client, calls)
    over = Event()
    every = 60 * _SENDERS / (TIMES_THE_LIMIT * limit)
    senders = [
        Thread(target=_send, args=(server.client(noisy), every, over, found.statuses), daemon=True)
        for _ in range(_SENDERS)
    ]
    for sender in senders:
        sender.start()
    found.beside_ms = _calls(client, calls)
    over.set()
    for sender in senders:
        sender.join(30)
    client.close()
    assert set(found.statuses) <= {200, 429}, found.statuses
    return found


def _calls(client: Client, calls: int) -> list[float]:
    taken = []
    for number in range(calls):
        began = time.perf_counter()
        if number % 2:
            answer = client.get("/v1/events", {"limit": 10})
        else:
            answer = client.post("/v1/events", {"events": [one_event("quiet")]})
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer
    return taken


def _send(client: Client, every: float, over: Event, statuses: Counter[int]) -> None:
    due = time.perf_counter()
    while not over.is_set():
        due += every
        statuses[client.get("/v1/me").status] += 1
        time.sleep(max(0.0, due - time.perf_counter()))
    client.close()
