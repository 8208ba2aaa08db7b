"""OpenAI's client, measured: every way to call it, against the wire formats of the real one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import openai
import pytest

import infraprism
from sdk.tests.mock_provider import MockProvider

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
ACME = {"entity_type": "customer", "entity_id": "acme", "session_id": "s", "tags": {"f": "chat"}}
TOKENS = {
    "input_tokens": 120,
    "output_tokens": 30,
    "cache_read_input_tokens": 100,
    "reasoning_output_tokens": 20,
}
Recorded = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def client(mock: MockProvider, fake: object) -> Any:
    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=1)


@pytest.fixture
def async_client(mock: MockProvider, fake: object) -> Any:
    return infraprism.AsyncInfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=1)


def create(client: Any) -> None:
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **ACME)
    assert answer.choices[0].message.content == "Hello there"


def parse(client: Any) -> None:
    answer = client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, **ACME)
    assert answer.choices[0].message.content == "Hello there"


def stream(client: Any) -> None:
    chunks = list(
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True, **ACME)
    )
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "Hello", "there", None]
    assert all(chunk.usage is None for chunk in chunks)


def stream_helper(client: Any) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES, **ACME) as events:
        assert events.get_final_completion().choices[0].message.content == "Hellothere"


def responses(client: Any) -> None:
    answer = client.responses.create(model="gpt-4o", input="Hello", **ACME)
    assert answer.output_text == "Hello there"


def responses_stream(client: Any) -> None:
    with client.responses.stream(model="gpt-4o", input="Hello", **ACME) as events:
        assert events.get_final_response().output_text == "Hello there"


def responses_parse(client: Any) -> None:
    answer = client.responses.parse(model="gpt-4o", input="Hello", **ACME)
    assert answer.output_text == "Hello there"


def responses_create_stream(client: Any) -> None:
    events = list(client.responses.create(model="gpt-4o", input="Hello", stream=True, **ACME))
    assert events[-1].type == "response.completed"


def raw(client: Any) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, **ACME
    )
    assert answer.parse().usage.total_tokens == 150


def raw_stream(client: Any) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, stream=True, **ACME
    )
    assert len(list(answer.parse())) == 4


def streamed_body(client: Any) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=MESSAGES, **ACME
    ) as answer:
        assert b"Hello there" in answer.read()


def other_options(client: Any) -> None:
    create(client.with_options(timeout=5).copy(max_retries=0))


WAYS = [
    create,
    parse,
    stream,
    stream_helper,
    responses,
    responses_parse,
    responses_stream,
    responses_create_stream,
    raw,
    raw_stream,
    streamed_body,
    other_options,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_way_to_call_records_one_event_with_its_tokens(
    way: Callable[[Any], None], client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    way(client)
    [event] = recorded()
    assert {name: event.get(name) for name in TOKENS} == TOKENS
    assert {name: event.get(name) for name in ACME} == ACME
    assert (event["provider"], event["model"], event["success"]) == ("openai", "gpt-4o", True)
    assert ("time_to_first_token_ms" in event) == (
        "stream" in way.__name__ and way != streamed_body
    )
    assert event.get("service_tier") == ("flex" if "responses" in way.__name__ else None)
    sent = {**mock.requests[0], **mock.headers[0]}
    assert not [name for name in sent if name in ACME or "infraprism" in name]


def test_async_calls_and_streams_are_recorded(async_client: Any, recorded: Recorded) -> None:
    async def calls() -> None:
        chat = async_client.chat.completions
        await chat.create(model="gpt-4o", messages=MESSAGES, **ACME)
        chunks = await chat.create(model="gpt-4o", messages=MESSAGES, stream=True, **ACME)
        assert len([chunk async for chunk in chunks]) == 4
        async with chat.stream(model="gpt-4o", messages=MESSAGES, **ACME) as events:
            await events.get_final_completion()
        raw = await chat.with_raw_response.create(model="gpt-4o", messages=MESSAGES, **ACME)
        assert raw.parse().usage.total_tokens == 150
        await async_client.responses.create(model="gpt-4o", input="Hello", **ACME)

    asyncio.run(calls())
    events = recorded()
    assert len(events) == 5
    for event in events:
        assert {name: event.get(name) for name in TOKENS} == TOKENS
        assert event["entity_id"] == "acme"


def test_one_who_asks_for_usage_gets_its_chunk(client: Any, recorded: Recorded) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].usage.total_tokens == 150
    assert recorded()[0]["input_tokens"] == 120


def test_a_host_that_refuses_the_option_is_asked_again_once_and_never_more(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    for _ in range(2):
        chunks = client.chat.completions.create(
            model="refuses-usage", messages=MESSAGES, stream=True
        )
        assert len(list(chunks)) == 4
    other: Any = infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")
    list(other.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    asked = ["stream_options" in request for request in mock.requests]
    assert asked == [True, False, False, False], "remembered for the address, not for the client"
    assert [event["success"] for event in recorded()] == [True, True, True]


@pytest.mark.parametrize(
    ("model", "error", "code"),
    [
        ("fails-400", openai.BadRequestError, "context_length_exceeded"),
        ("fails-401", openai.AuthenticationError, "invalid_api_key"),
        ("fails-429", openai.RateLimitError, "rate_limit_exceeded"),
        ("fails-500", openai.InternalServerError, "server_error"),
    ],
)
def test_errors_reach_the_host_and_count_once_whatever_the_retries(
    client: Any, recorded: Recorded, model: str, error: type[Exception], code: str
) -> None:
    with pytest.raises(error):
        client.chat.completions.create(model=model, messages=MESSAGES, **ACME)
    [event] = recorded()
    assert (event["success"], event["error_type"]) == (False, error.__name__)
    assert event["error_code"] == code
    assert event["model"] == model


def test_a_retry_that_works_is_one_successful_call(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    client.chat.completions.create(model="flaky", messages=MESSAGES)
    assert len(mock.requests) == 2
    assert [event["success"] for event in recorded()] == [True]


def test_a_stream_the_host_leaves_is_recorded_as_abandoned(client: Any, recorded: Recorded) -> None:
    left = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    next(left)
    left.close()
    for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
        break
    unread = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    del unread
    gc.collect()
    events = recorded()
    assert [event["error_type"] for event in events] == ["StreamAbandoned"] * 3
    assert not any(event["success"] for event in events)


@pytest.mark.parametrize("model", ["breaks", "cuts"])
def test_a_stream_that_breaks_raises_as_ever_and_is_recorded_as_failed(
    client: Any, recorded: Recorded, model: str
) -> None:
    with pytest.raises(Exception, match=r".") as raised:
        list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    assert type(raised.value).__module__.split(".")[0] in {"openai", "httpx2", "httpx"}
    [event] = recorded()
    assert event["success"] is False
    assert "Hello" not in str(event)


def test_a_call_that_is_cancelled_before_its_answer_is_recorded(
    async_client: Any, recorded: Recorded
) -> None:
    async def cancelled() -> None:
        asked = asyncio.create_task(
            async_client.chat.completions.create(model="m", messages=MESSAGES, **ACME)
        )
        for _ in range(3):
            await asyncio.sleep(0)
        asked.cancel()
        await asked

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    [event] = recorded()
    assert (event["success"], event["error_type"]) == (False, "CancelledError")
    assert event["entity_id"] == "acme"


def test_a_cancelled_stream_is_recorded(async_client: Any, recorded: Recorded) -> None:
    async def cancelled() -> None:
        chunks = await async_client.chat.completions.create(
            model="slow", messages=MESSAGES, stream=True
        )
        async for _ in chunks:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    gc.collect()
    assert [event["success"] for event in recorded()] == [False]


def test_embeddings_are_recorded_and_lists_are_not(client: Any, recorded: Recorded) -> None:
    client.embeddings.create(model="text-embedding-3-small", input="x", **ACME)
    with pytest.raises(openai.APIStatusError):
        client.models.list()
    [event] = recorded()
    assert (event["model"], event["input_tokens"]) == ("text-embedding-3-small", 8)


def test_images_and_audio_are_recorded_with_the_tokens_they_tell(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    client.images.generate(model="gpt-image-1", prompt="x", **ACME)
    client.images.edit(model="gpt-image-1", image=("a.png", b"png"), prompt="x", **ACME)
    sound = ("a.wav", b"RIFF")
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=sound, **ACME)
    client.audio.translations.create(model="whisper-1", file=sound, **ACME)
    spoken = client.audio.speech.create(model="tts-1", voice="alloy", input="x", **ACME)
    assert spoken.content == b"ID3"
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="x", **ACME
    ) as streamed:
        assert streamed.read() == b"ID3"
    events = recorded()
    assert [(event["model"], event.get("input_tokens")) for event in events] == [
        ("gpt-image-1", 50),
        ("gpt-image-1", 50),
        ("gpt-4o-transcribe", 14),
        ("whisper-1", None),
        ("tts-1", None),
        ("tts-1", None),
    ]
    assert events[2]["input_audio_tokens"] == 14
    assert all(event["entity_id"] == "acme" and event["success"] for event in events)
    assert not [request for request in mock.requests if "acme" in str(request)]


def test_the_first_token_is_the_first_of_the_answer_not_the_first_of_the_stream(
    client: Any, recorded: Recorded
) -> None:
    list(client.chat.completions.create(model="slow", messages=MESSAGES, stream=True))
    list(client.responses.create(model="slow", input="x", stream=True))
    chat, response = recorded()
    assert 50 <= chat["time_to_first_token_ms"] < chat["latency_ms"]
    assert 150 <= response["time_to_first_token_ms"] < response["latency_ms"]


def test_azure_is_its_own_provider(mock: MockProvider, recorded: Recorded) -> None:
    client: Any = infraprism.InfraPrismAzureOpenAI(
        api_key="k", azure_endpoint=mock.url, api_version="2024-10-21"
    )
    client.chat.completions.create(model="my-deployment", messages=MESSAGES, **ACME)
    assert "/deployments/my-deployment/" in mock.requests[0]["path"]
    assert recorded()[0]["provider"] == "azure"


def test_keywords_win_over_the_context_and_tags_add_up(client: Any, recorded: Recorded) -> None:
    with infraprism.attribute(entity_type="team", entity_id="search", tags={"env": "prod"}):
        create(client)
    [event] = recorded()
    assert (event["entity_id"], event["tags"]) == ("acme", {"env": "prod", "f": "chat"})
