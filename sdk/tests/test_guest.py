"""The SDK is a guest: it never raises, never waits, never leaks, and leaves within two seconds."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import openai
import pytest

import infraprism
from infraprism import recorder
from infraprism.event import FIELDS
from infraprism.quiet import own_error
from sdk.generate_privacy_page import PAGE, renewed
from sdk.tests import guest, privacy
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

Recorded = Callable[[], list[dict[str, Any]]]

PROGRAM = """
import sys, time
import infraprism
client = infraprism.InfraPrismOpenAI(api_key="k", base_url=sys.argv[1])
for _ in range(5):
    client.chat.completions.create(model="m", messages=[], entity_type="team", entity_id="x")
print(time.monotonic(), flush=True)
"""


def client_of(mock: MockProvider) -> Any:
    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=0)


@pytest.mark.parametrize("seed", [1, 2])
def test_r37_whatever_a_host_passes_it_gets_no_error_of_ours(seed: int) -> None:
    """The 100,000 arguments of the long form, with some thousand in their place."""
    assert guest.fuzz(seed, amount=3_000) >= 3_000


def test_r37_own_errors_are_logged_at_most_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "infraprism"):
        for _ in range(50):
            own_error("a test of the log", ValueError("with content"))
    assert [record.getMessage() for record in caplog.records] == [
        "infraprism: a test of the log failed with ValueError; your call is not affected"
    ]


def test_names_that_no_server_takes_are_made_readable(recorded: Recorded) -> None:
    infraprism.track(provider="a\nb", model="m\ud800\x00x", usage={"cost": 10**5000})
    [event] = recorded()
    assert (event["provider"], event["model"], "cost_usd" in event) == ("ab", "mx", False)


@pytest.mark.parametrize("state", guest.STATES)
def test_r36_a_call_touches_no_network_but_the_providers_whatever_the_server_does(
    state: str,
) -> None:
    """Why no state of the server can slow a call; the long form measures it."""
    assert guest.calls_in_state(state, calls=5) == []


@pytest.mark.parametrize("mode", ["ok", "hang", "status:500"])
def test_r40_a_process_ends_within_two_seconds_and_sends_what_it_can(
    mock: MockProvider, fake: FakeServer, mode: str
) -> None:
    """R40: exit with a healthy server, a hanging one, and one that refuses."""
    fake.mode = mode
    assert guest.seconds_to_exit(mock.url) < 2.6, "2 s, and the interpreter's own end"
    assert len(fake.events) == (5 if mode == "ok" else 0)


def test_without_a_key_the_client_is_a_plain_one_and_says_so_once(
    mock: MockProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFRAPRISM_API_KEY", raising=False)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM + PROGRAM)
    ran = subprocess.run(
        [sys.executable, str(program), f"{mock.url}/v1"], capture_output=True, text=True, check=True
    )
    assert ran.stderr.count("INFRAPRISM_API_KEY is not set") == 1
    assert len(mock.requests) == 10
    assert "entity_type" not in mock.requests[0]


def test_disabled_by_the_environment_nothing_is_reported(
    mock: MockProvider, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFRAPRISM_DISABLED", "1")
    recorder.reset()
    client_of(mock).chat.completions.create(model="m", messages=[], entity_id="x")
    assert infraprism.track(provider="openai", model="m") is None
    assert infraprism.flush(1)
    assert fake.arrivals == []


def test_an_outage_is_one_line_in_the_log(
    fake: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    fake.mode = "status:500"
    others = {thread.ident for thread in threading.enumerate()}
    with caplog.at_level(logging.WARNING, "infraprism"):
        for _ in range(3):
            infraprism.track(provider="openai", model="m", input_tokens=1)
            infraprism.flush(0.8)
    told = [one for one in caplog.records if "uploads fail" in one.message]
    # An uploader that another test left may find its own server gone meanwhile.
    assert len([one for one in told if one.thread not in others]) == 1


def test_privacy_no_content_leaves_the_process() -> None:
    events, found = privacy.found_in(rounds=1, seed=11)
    assert found == []
    assert events >= privacy.CALLS_A_ROUND


LEAKS = {
    "the text of errors": (
        "calls.py",
        "error_code(error)))",
        "str(error)))",
    ),
    "the body of a request as a tag": (
        "seam.py",
        "model, current(), carried, time_ns()",
        "model, current(), (None, None, None, {'b': str(body)}), time_ns()",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_privacy_a_build_that_leaks_on_purpose_is_caught(leak: str, tmp_path: Path) -> None:
    name, right, wrong = LEAKS[leak]
    shutil.copytree(Path(infraprism.__file__).parent, tmp_path / "infraprism")
    module = tmp_path / "infraprism" / name
    assert module.read_text().count(right) == 1
    module.write_text(module.read_text().replace(right, wrong))
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "sdk.tests.privacy", "1", "5"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "bytes sent" in ran.stdout


def test_every_field_of_every_event_is_listed(mock: MockProvider, recorded: Recorded) -> None:
    client = client_of(mock)
    client.chat.completions.create(
        model="m", messages=[], entity_type="team", entity_id="x", session_id="s", tags={"a": 1}
    )
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="fails-429", messages=[])
    sent = set().union(*recorded())
    assert sent <= set(FIELDS)


def test_privacy_the_page_lists_what_leaves_as_the_schema_has_it() -> None:
    """Made by `python -m sdk.generate_privacy_page`."""
    assert PAGE.read_text() == renewed(PAGE.read_text())
    assert [name for name in FIELDS if f"| `{name}` |" not in PAGE.read_text()] == []


def test_track_takes_any_usage_and_attribution(recorded: Recorded) -> None:
    usage = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 90}
    with infraprism.attribute(entity_type="team", entity_id="search"):
        infraprism.track(provider="anthropic", model="claude", usage=usage, latency_ms=12)
    infraprism.track(provider="x", model="y", input_tokens=5, output_tokens=1, cost_usd=0.25)
    whole = {
        "input_tokens": 100,
        "output_tokens": 50,
        "cache_read_input_tokens": 10,
        "cache_write_input_tokens": 20,
        "cache_write_1h_input_tokens": 30,
        "reasoning_output_tokens": 5,
        "input_audio_tokens": 6,
        "output_audio_tokens": 7,
        "web_search_requests": 2,
        "time_to_first_token_ms": 3,
        "id": "my-own-1",
    }
    at = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    assert infraprism.track(provider="x", model="y", timestamp=at, **whole) == "my-own-1"
    first, second, third = recorded()
    assert {name: third[name] for name in whole} == whole
    assert third["timestamp"] == "2026-01-02T03:04:05.000678Z"
    assert (first["input_tokens"], first["entity_id"], first["latency_ms"]) == (100, "search", 12)
    assert json.dumps(second["cost_usd"]) == "0.25"


def test_privacy_what_waits_for_the_upload_thread_holds_no_content(
    mock: MockProvider, recorded: Recorded
) -> None:
    """Names, times and the usage object alone: neither question nor answer lives on in it."""
    canary = "canary-of-a-question"
    mock.answer_text = canary
    told = [{"role": "user", "content": canary}]
    client = client_of(mock)
    client.chat.completions.create(model="m", messages=[])
    who = {"entity_type": "team", "entity_id": "x", "tags": {"a": "b", "prompt": told}}
    one = recorder.default_uploader()
    assert one is not None
    assert infraprism.flush(10)
    answer = client.chat.completions.create(model="m", messages=told, user=canary, **who)
    [call] = one.queue.arrived
    gone = weakref.ref(answer)
    assert canary in str(reached_from(answer, besides=one))
    assert canary not in str(reached_from(call, besides=one))
    del answer
    assert gone() is None
    assert recorded()[1]["tags"] == {"a": "b"}


def reached_from(start: object, besides: object) -> list[object]:
    """Every value that can be reached; classes, modules and functions are nobody's data."""
    seen = {id(besides): besides}
    todo = [start]
    while todo:
        value = todo.pop()
        if id(value) in seen or isinstance(value, type | ModuleType | FunctionType):
            continue
        seen[id(value)] = value
        todo.extend(gc.get_referents(value))
    del seen[id(besides)]
    return list(seen.values())


def test_counts_are_exact_whoever_has_looked_at_a_call(
    mock: MockProvider, fake: FakeServer
) -> None:
    client = client_of(mock)
    for number in range(1, 60):
        client.chat.completions.create(model="m", messages=[])
        assert infraprism.counts().queued == number
    assert infraprism.flush(10)
    counts = infraprism.counts()
    assert (counts.queued, counts.sent, counts.dropped) == (59, 59, {})
