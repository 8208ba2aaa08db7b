"""Anthropic's client, measured: messages, streams and their helpers, errors."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

import infraprism
from sdk.tests.mock_provider import MockProvider

CALL: Any = {
    "model": "claude-x",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Hello"}],
    "entity_type": "customer",
    "entity_id": "acme",
}
TOKENS = {"input_tokens": 120, "output_tokens": 30, "cache_read_input_tokens": 100}
Recorded = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def client(mock: MockProvider, fake: object) -> Any:
    return infraprism.InfraPrismAnthropic(api_key="k", base_url=mock.url, max_retries=1)


def create(client: Any) -> None:
    assert client.messages.create(**CALL).content[0].text == "Hello there"


def stream(client: Any) -> None:
    assert list(client.messages.create(stream=True, **CALL))[-1].type == "message_stop"


def stream_helper(client: Any) -> None:
    with client.messages.stream(**CALL) as events:
        assert "".join(events.text_stream) == "Hello there"


def raw(client: Any) -> None:
    assert client.messages.with_raw_response.create(**CALL).parse().usage.output_tokens == 30


def beta(client: Any) -> None:
    assert client.beta.messages.create(**CALL).content[0].text == "Hello there"


WAYS = [create, stream, stream_helper, raw, beta]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_to_call_records_one_event_with_inclusive_totals(
    way: Callable[[Any], None], client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    way(client)
    [event] = recorded()
    assert {name: event.get(name) for name in TOKENS} == TOKENS
    assert (event["provider"], event["model"]) == ("anthropic", "claude-x")
    assert (event["entity_id"], event["success"]) == ("acme", True)
    sent = {**mock.requests[0], **mock.headers[0]}
    assert not [name for name in sent if name.startswith("entity") or "infraprism" in name]


def test_async_messages_and_streams_are_recorded(mock: MockProvider, recorded: Recorded) -> None:
    client: Any = infraprism.AsyncInfraPrismAnthropic(api_key="k", base_url=mock.url)

    async def calls() -> None:
        await client.messages.create(**CALL)
        async with client.messages.stream(**CALL) as events:
            await events.get_final_message()
        assert (
            len([event async for event in await client.messages.create(stream=True, **CALL)]) == 6
        )

    asyncio.run(calls())
    assert [{name: event.get(name) for name in TOKENS} for event in recorded()] == [TOKENS] * 3


def test_counting_tokens_is_free_and_not_recorded(client: Any, recorded: Recorded) -> None:
    # Under `beta` in anthropic 0.40.
    free = client.messages if hasattr(client.messages, "count_tokens") else client.beta.messages
    counted = free.count_tokens(model="claude-x", messages=CALL["messages"])
    assert counted.input_tokens == 9
    assert recorded() == []


def test_an_abandoned_stream_keeps_what_it_said_so_far(client: Any, recorded: Recorded) -> None:
    with client.messages.stream(**CALL) as events:
        next(iter(events))
    gc.collect()
    [event] = recorded()
    assert (event["success"], event["error_type"]) == (False, "StreamAbandoned")
    assert event["input_tokens"] == 120


def test_errors_and_broken_streams_are_recorded_without_their_text(
    client: Any, recorded: Recorded
) -> None:
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**{**CALL, "model": "fails-429"})
    with pytest.raises(anthropic.APIStatusError):
        list(client.messages.create(**{**CALL, "model": "breaks"}, stream=True))
    limited, broken = recorded()
    assert (limited["error_type"], limited["error_code"]) == (
        "RateLimitError",
        "rate_limit_exceeded",
    )
    assert (broken["error_type"], broken["error_code"]) == ("StreamError", "overloaded_error")
    assert "Hello" not in str([limited, broken])
