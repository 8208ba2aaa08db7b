"""The SDK is a guest: it never raises, never waits, never leaks, and leaves within two seconds."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import infraprism
from infraprism import recorder
from infraprism.event import FIELDS
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

_values = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.binary(max_size=5),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=5) | st.integers(), st.text() | st.none(), max_size=3),
    st.builds(object),
)


def client_of(mock: MockProvider) -> Any:
    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.sampled_from(sorted(infraprism.attribution.KEYWORDS)), _values))
def test_no_value_of_our_keywords_reaches_the_host_as_an_error(
    mock: MockProvider, fake: FakeServer, keywords: dict[str, Any]
) -> None:
    """R37, shortened."""
    answer = client_of(mock).chat.completions.create(model="m", messages=[], **keywords)
    assert answer.choices[0].message.content == "Hello there"


@settings(max_examples=200, deadline=None)
@given(_values, _values, _values, _values)
def test_track_never_raises(a: Any, b: Any, c: Any, d: Any) -> None:
    infraprism.track(provider=a, model=b, usage=c, latency_ms=d, tags=a, input_tokens=b)


def test_names_that_no_server_takes_are_made_readable(recorded: Recorded) -> None:
    infraprism.track(provider="a\nb", model="m\ud800\x00x", usage={"cost": 10**5000})
    [event] = recorded()
    assert (event["provider"], event["model"], "cost_usd" in event) == ("ab", "mx", False)


@pytest.mark.parametrize("mode", ["hang", "status:429", "status:500", "reset"])
def test_calls_do_not_wait_for_the_server(mock: MockProvider, fake: FakeServer, mode: str) -> None:
    fake.mode = mode
    client = client_of(mock)
    started = time.monotonic()
    for _ in range(50):
        client.chat.completions.create(model="m", messages=[])
    assert time.monotonic() - started < 5
    assert infraprism.counts().queued == 50


@pytest.mark.parametrize("mode", ["ok", "hang", "status:500"])
def test_a_process_ends_within_two_seconds_and_sends_what_it_can(
    mock: MockProvider, fake: FakeServer, mode: str, tmp_path: Path
) -> None:
    """R40: exit with a healthy server, a hanging one, and one that refuses."""
    fake.mode = mode
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, str(program), f"{mock.url}/v1"], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - float(ran.stdout) < 2.6, "2 s, and the interpreter's own end"
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
    with caplog.at_level(logging.WARNING, "infraprism"):
        for _ in range(3):
            infraprism.track(provider="openai", model="m", input_tokens=1)
            infraprism.flush(0.8)
    assert len([one for one in caplog.records if "uploads fail" in one.message]) == 1


CANARY = "canary-7f3a9c51e2"


def encodings(text: str) -> list[bytes]:
    raw = text.encode()
    return [
        raw,
        raw.hex().encode(),
        urllib.parse.quote(text).encode(),
        *(base64.b64encode(b"x" * shift + raw)[shift + 2 : -4] for shift in range(3)),
    ]


def test_no_content_leaves_the_process(mock: MockProvider, fake: FakeServer) -> None:
    """A canary in every place that can hold content; all bytes sent are searched for it."""
    client = client_of(mock)
    mock.answer_text = CANARY
    told = [{"role": "user", "content": CANARY}]
    tool = {"name": CANARY, "description": CANARY, "parameters": {"type": "object"}}
    more: Any = {"tools": [{"type": "function", "function": tool}], "user": CANARY, "stop": CANARY}
    chat = client.chat.completions
    chat.create(model="m", messages=told, metadata={"a": CANARY}, **more)
    list(chat.create(model="m", messages=told, stream=True, extra_body={"x": CANARY}))
    client.responses.create(model="m", input=CANARY, instructions=CANARY)
    with client.responses.stream(model="m", input=CANARY) as events:
        assert CANARY in events.get_final_response().output_text
    client.embeddings.create(model="m", input=CANARY)
    for model in ("fails-400", "fails-401", "fails-429", "fails-500"):
        with pytest.raises(openai.APIStatusError, match=CANARY):
            chat.create(model=model, messages=told)
    with pytest.raises(openai.APIError):
        list(chat.create(model="breaks", messages=told, stream=True))
    messages: Any = {"model": "m", "max_tokens": 9, "messages": told, "system": CANARY}
    claude: Any = infraprism.InfraPrismAnthropic(api_key="k", base_url=mock.url)
    claude.messages.create(**messages, extra_headers={"x-note": CANARY})
    with claude.messages.stream(**messages) as stream:
        stream.until_done()
    assert infraprism.flush(5)
    sent = b"".join(fake.raw)
    assert len(fake.events) == 12
    assert not [found for found in encodings(CANARY) if found in sent]


def test_the_search_for_the_canary_finds_a_leak(fake: FakeServer) -> None:
    """The test above can fail: a tag is the one place where a host may put text, and is found."""
    infraprism.track(provider="openai", model="m", tags={"leak": CANARY})
    assert infraprism.flush(5)
    assert CANARY.encode() in b"".join(fake.raw)


def test_every_field_of_every_event_is_listed(mock: MockProvider, recorded: Recorded) -> None:
    client = client_of(mock)
    client.chat.completions.create(
        model="m", messages=[], entity_type="team", entity_id="x", session_id="s", tags={"a": 1}
    )
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="fails-429", messages=[])
    sent = set().union(*recorded())
    assert sent <= set(FIELDS)
    documented = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in documented] == []


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
