"""What a guest may not do, as functions with a size: tests play them short, `make soak` long."""

from __future__ import annotations

import heapq
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import infraprism
from infraprism import recorder
from infraprism.delivery import drain_pause, full_jitter
from infraprism.event import new_event_id
from infraprism.uploader import GATHER_SECONDS, Uploader
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

STATES = [
    *("up", "down", "black hole", "10 s slow", "1 B/s", "resetting", "429", "500"),
    *("bad TLS", "no DNS"),
]
_MODES = {
    "up": "ok",
    "black hole": "hang",
    "10 s slow": "slow",
    "1 B/s": "trickle",
    "resetting": "reset",
    "429": "status:429",
    "500": "status:500",
}


def event(**more: Any) -> dict[str, Any]:
    now = time.time_ns()
    return {"id": new_event_id(now), "timestamp": now, "provider": "p", "model": "m", **more}


@contextmanager
def server_in_state(state: str) -> Iterator[str]:
    """The address of a server in one of STATES. Nothing of it leaves this machine."""
    with FakeServer() as fake:
        fake.mode = _MODES.get(state, "ok")
        port = fake.url.rpartition(":")[2]
        if state == "down":
            fake._server.server_close()
        yield {
            "bad TLS": f"https://127.0.0.1:{port}",
            "no DNS": "http://no..such..name",  # refused before anybody is asked
        }.get(state, fake.url)
        fake.mode = "ok"


@contextmanager
def reporting_to(url: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ("INFRAPRISM_API_KEY", "INFRAPRISM_BASE_URL")}
    os.environ |= {"INFRAPRISM_API_KEY": "ip-test", "INFRAPRISM_BASE_URL": url}
    recorder.reset()
    try:
        yield
    finally:
        recorder.close(0)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


EXIT_PROGRAM = """
import atexit, sys, time
ended = []
atexit.register(lambda: print(time.monotonic() - ended[0], flush=True))  # runs after the SDK's own
import infraprism
client = infraprism.InfraPrismOpenAI(api_key="k", base_url=sys.argv[1])
for _ in range(5):
    client.chat.completions.create(model="m", messages=[], entity_type="team", entity_id="x")
ended.append(time.monotonic())
"""


def seconds_to_exit(provider_url: str) -> float:
    """R40: how long the end of a process waits for the SDK."""
    ran = subprocess.run(
        [sys.executable, "-c", EXIT_PROGRAM, f"{provider_url}/v1"],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ran.stdout)


_seen: list[tuple[str, str, Any]] | None = None


def _audit(name: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and name in {"socket.connect", "socket.getaddrinfo"}:
        where = arguments[1] if name == "socket.connect" else arguments[:2]
        _seen.append((name, threading.current_thread().name, where))


_hooked: list[bool] = []


@contextmanager
def network_watched() -> Iterator[list[tuple[str, str, Any]]]:
    """What is connected to or looked up meanwhile, and by which thread."""
    global _seen  # noqa: PLW0603 - an audit hook can not be taken off again
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None


def calls_in_state(state: str, calls: int) -> list[Any]:
    """R36: what threads of the host did on the network but call the provider. Empty is right."""
    with MockProvider() as mock, server_in_state(state) as url, reporting_to(url):
        client: Any = infraprism.InfraPrismOpenAI(
            api_key="k", base_url=f"{mock.url}/v1", max_retries=0
        )
        provider_port = int(mock.url.rpartition(":")[2])
        with network_watched() as seen:
            for _ in range(calls):
                answer = client.chat.completions.create(model="m", messages=[], entity_id="x")
                assert answer.choices[0].message.content == "Hello there"
        client.close()
        assert infraprism.counts().queued == calls
        return [
            one
            for one in seen
            if one[1] != "infraprism"
            and not one[1].startswith("Thread-")  # the mocks' own
            and provider_port not in one[2]
        ]


def rate_limited(seconds: float, events: int) -> None:
    """R25: a server that answers 429 for a while; every event arrives once."""
    with FakeServer() as server:
        one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.02)
        server.mode, server.retry_after = "status:429", "0" if seconds < 10 else "2"
        end = time.monotonic() + seconds
        for _ in range(events):
            one.record(event())
            time.sleep(0 if seconds < 10 else seconds / events)
        while time.monotonic() < end:
            time.sleep(0.05)
        assert not server.events
        server.mode = "ok"
        assert one.flush(90)
        one.close()
        assert len(server.events) == events
        assert server.duplicates == 0
        assert one.counters.snapshot().dropped == {}


def forks(amount: int, at_once: int = 20) -> None:
    """R40: every event of a parent and its children counts once."""
    with FakeServer() as server:
        one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.02)
        for start in range(0, amount, at_once):
            children = []
            for _ in range(min(at_once, amount - start)):
                one.record(event(session_id="parent"))
                child = os.fork()
                if child == 0:
                    one.record(event(session_id="child"))
                    os._exit(0 if one.flush(30) else 1)
                children.append(child)
            assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
        assert one.flush(30)
        one.close()
        sessions = Counter(stored["session_id"] for stored in server.events.values())
        assert sessions == {"parent": amount, "child": amount}
        assert server.duplicates == 0


def peaks_of_an_outage(
    seed: int, clients: int = 100, outage_seconds: float = 120.0
) -> tuple[int, int]:
    """R39, in simulated time: the most requests in a second before an outage and after it.

    The pauses are the uploader's own functions; each client makes an event every 50 ms.
    """
    chance = random.Random(seed)
    starts, ends, stop = 20.0, 20.0 + outage_seconds, 20.0 + outage_seconds + 180.0
    random.seed(seed)
    heap = [(chance.uniform(0, GATHER_SECONDS), number, 0, 0.0) for number in range(clients)]
    heapq.heapify(heap)
    arrivals: Counter[int] = Counter()
    while heap:
        now, number, attempt, sent_up_to = heapq.heappop(heap)
        if now >= stop:
            continue
        arrivals[int(now)] += 1
        if starts <= now < ends:
            heapq.heappush(heap, (now + full_jitter(attempt), number, attempt + 1, sent_up_to))
            continue
        sent_up_to = min(now, sent_up_to + 500 * 0.05)  # a batch of what waits
        behind = now - sent_up_to > GATHER_SECONDS
        pause = drain_pause(GATHER_SECONDS) if behind else GATHER_SECONDS
        heapq.heappush(heap, (now + pause, number, 0, sent_up_to))
    before = max(arrivals[second] for second in range(int(starts)))
    after = max(arrivals[second] for second in range(int(ends), int(stop)))
    return before, after


def fuzz_values(chance: random.Random) -> Any:
    """Something a host might pass by mistake."""
    kinds = [
        lambda: None,
        lambda: "".join(chr(chance.randrange(0xD7FF)) for _ in range(chance.randrange(400))),
        lambda: chance.choice(["customer", "team", "", ".", "..", "\ud800", "a\nb", "x" * 10_000]),
        lambda: chance.choice([-1, 0, 2**63, 10**400, True, False]),
        lambda: chance.choice([float("nan"), float("inf"), -0.0, 1e308, 1.5]),
        lambda: chance.randbytes(5),
        lambda: [None, {}, ()][chance.randrange(3)],
        lambda: {chance.choice(["a", 1, None, "k" * 100]): chance.choice(["v", None, 3, object()])},
        lambda: {str(number): number for number in range(100)},
        object,
        _Hostile,
    ]
    return chance.choice(kinds)()


class _Hostile:
    """Raises wherever it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("str")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("bool")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = object.__hash__


def fuzz(seed: int, amount: int) -> int:
    """R37: nothing a host passes comes back to it as an error. Returns how many were tried."""
    chance = random.Random(seed)
    with MockProvider() as mock, FakeServer() as fake, reporting_to(fake.url):
        client: Any = infraprism.InfraPrismOpenAI(
            api_key="k", base_url=f"{mock.url}/v1", max_retries=0
        )
        tried = 0
        while tried < amount:
            names = ("entity_type", "entity_id", "session_id", "tags")
            given = {name: fuzz_values(chance) for name in names if chance.random() < 0.7}
            if tried % 50 == 0:
                client.chat.completions.create(model="m", messages=[], **given)
            with infraprism.attribute(**given, by_custom_id=fuzz_values(chance)):
                infraprism.track(
                    provider=fuzz_values(chance),
                    model=fuzz_values(chance),
                    usage=fuzz_values(chance),
                    latency_ms=fuzz_values(chance),
                    input_tokens=fuzz_values(chance),
                    cost_usd=fuzz_values(chance),
                    timestamp=fuzz_values(chance),
                    id=fuzz_values(chance),
                    error_type=fuzz_values(chance),
                )
            tried += 13
        client.close()
    return tried
