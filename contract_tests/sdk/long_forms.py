"""What `make soak` plays of the SDK: the long forms of sdk/tests and of the mixed traffic."""

from __future__ import annotations

import os
import time
from statistics import quantiles
from typing import Any

import openai

import infraprism
from contract_tests.harness.server_process import ServerProcess
from contract_tests.sdk.traffic import Traffic, VariedUsage, compare
from infraprism import recorder
from sdk.tests import guest, privacy
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider
from sdk.tests.wire_formats import CHAT_USAGE, chat_answer

ADDED_P99_SECONDS = 100e-6


def share(amount: int, length: float) -> int:
    """Of a round's long form; a quarter of a hundred at least."""
    return max(25, round(amount * length))


def sdk_day(server: ServerProcess, seed: int, length: float) -> int:
    """R7, R25: a day of mixed traffic over kills of the server, compared call by call."""
    account = server.add_account("day")
    os.environ |= {"INFRAPRISM_API_KEY": account.key, "INFRAPRISM_BASE_URL": server.url}
    recorder.reset()
    calls = 0
    with MockProvider(VariedUsage(seed)) as mock:
        for part in range(10):
            run = f"day-{part}"
            traffic = Traffic(mock, run, seed + part)
            traffic.play(share(1_000, length))
            if part % 3 == 1:
                server.restart()
            assert infraprism.flush(120)
            compared = compare(traffic.made, mock, run)
            assert (compared.missing, compared.doubled) == ([], []), compared
            assert compared.wrong == [], compared.wrong[:3]
            calls += compared.calls
    assert infraprism.counts().dropped == {}
    recorder.close()
    return calls


def sdk_rate_limited(server: ServerProcess, seed: int, length: float) -> int:
    """R25: 60 s of 429; every event arrives once."""
    events = share(6_000, length)
    guest.rate_limited(seconds=max(1.0, 60 * length), events=events)
    return events


def sdk_fuzz(server: ServerProcess, seed: int, length: float) -> int:
    """R37: 100,000 arguments nobody expects; none comes back as an error."""
    return guest.fuzz(seed, amount=share(100_000, length))


def sdk_forks(server: ServerProcess, seed: int, length: float) -> int:
    """R40: 1,000 forks, every event counted once; the end of a process within 2 s."""
    amount = share(1_000, length)
    guest.forks(amount)
    with FakeServer() as fake, MockProvider() as mock, guest.reporting_to(fake.url):
        for mode in ("ok", "hang", "status:500"):
            fake.mode = mode
            seconds = guest.seconds_to_exit(mock.url)
            assert seconds <= 2.0, f"{seconds:.2f} s to exit with the server at {mode}"
    return amount


def sdk_outage(server: ServerProcess, seed: int, length: float) -> int:
    """R39: 100 clients after an outage, in simulated time."""
    rounds = share(50, length)
    for number in range(rounds):
        before, after = guest.peaks_of_an_outage(seed + number, outage_seconds=600)
        assert after <= 2 * before, (number, before, after)
    return rounds * 100


def sdk_privacy(server: ServerProcess, seed: int, length: float) -> int:
    """R21 for the SDK: a fresh canary in 10,000 calls; in no byte that leaves the process."""
    calls = 0
    while calls < share(10_000, length):
        events, found = privacy.found_in(rounds=20, seed=seed + calls)
        assert found == []
        calls += events
    return calls


def sdk_guest(server: ServerProcess, seed: int, length: float) -> int:
    """R36: what a call costs its thread at p99 above the bare client, in all states.

    In CPU time, which other work on the machine does not stretch; `make bench` has wall time.
    """
    calls = max(500, share(3_000, length))
    for state in guest.STATES:
        with guest.server_in_state(state) as url, guest.reporting_to(url):
            bare, added = p99_seconds(calls)
            assert infraprism.counts().queued >= calls
        told = f"{state}: {added * 1e6:.0f} µs at p99 above {bare * 1e6:.0f}"
        assert added <= ADDED_P99_SECONDS, told
    return calls * len(guest.STATES)


class Instant(openai.OpenAI):
    """A client whose answers are there at once: what is left is what the SDKs themselves cost."""

    answer: Any = None

    def request(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the provider's
        return self.answer


def p99_seconds(calls: int) -> tuple[float, float]:
    """The bare client's and what is added, in turns, so that both meet the same machine. In seconds
    of this thread's CPU."""
    answer = openai.types.chat.ChatCompletion.construct(**chat_answer("m", "x", CHAT_USAGE))
    Instant.answer = answer
    bare = Instant(api_key="k", base_url="http://127.0.0.1:9/v1")
    tracked = infraprism.instrument(Instant(api_key="k", base_url="http://127.0.0.1:9/v1"))
    seconds: dict[str, list[float]] = {"bare": [], "tracked": []}
    for _ in range(calls):
        for name, client in (("bare", bare), ("tracked", tracked)):
            began = time.thread_time()
            client.chat.completions.create(model="m", messages=[])
            seconds[name].append(time.thread_time() - began)
    p99 = {name: quantiles(values, n=100)[98] for name, values in seconds.items()}
    return p99["bare"], p99["tracked"] - p99["bare"]


LONG_FORMS = (
    sdk_day,
    sdk_rate_limited,
    sdk_fuzz,
    sdk_forks,
    sdk_outage,
    sdk_privacy,
    sdk_guest,
)
