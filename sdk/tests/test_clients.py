"""The six classes without an argument, and clients that exist already, one or all of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import infraprism
from infraprism import recorder
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

Recorded = Callable[[], list[dict[str, Any]]]
MESSAGES: Any = [{"role": "user", "content": "Hello"}]
ACME: Any = {"entity_type": "customer", "entity_id": "acme", "tags": {"feature": "chatbot"}}
CLASSES = {
    "InfraPrismOpenAI": "openai",
    "AsyncInfraPrismOpenAI": "openai",
    "InfraPrismAzureOpenAI": "azure",
    "AsyncInfraPrismAzureOpenAI": "azure",
    "InfraPrismAnthropic": "anthropic",
    "AsyncInfraPrismAnthropic": "anthropic",
}


@pytest.fixture(autouse=True)
def nothing_is_left_for_later() -> Iterator[None]:
    """Clients that a test leaves behind end with it, not at whatever instruction comes next."""
    yield
    gc.collect()


@pytest.fixture
def environment(mock: MockProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the providers' own clients read."""
    for name, value in {
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": f"{mock.url}/v1",
        "AZURE_OPENAI_API_KEY": "k",
        "AZURE_OPENAI_ENDPOINT": mock.url,
        "OPENAI_API_VERSION": "2024-10-21",
        "ANTHROPIC_API_KEY": "k",
        "ANTHROPIC_BASE_URL": mock.url,
    }.items():
        monkeypatch.setenv(name, value)


def call(client: Any) -> None:
    if hasattr(client, "messages"):
        asked = client.messages.create(model="m", max_tokens=9, messages=MESSAGES, **ACME)
    else:
        asked = client.chat.completions.create(model="m", messages=MESSAGES, **ACME)
    if asyncio.iscoroutine(asked):
        asyncio.run(_awaited(client, asked))
    else:
        client.close()


async def ask_and_close(client: openai.AsyncOpenAI) -> None:
    async with client:
        await client.chat.completions.create(model="m", messages=MESSAGES)


async def _awaited(client: Any, asked: Any) -> None:
    async with client:
        await asked


@pytest.fixture(params=["", "/v1", "/v1/"])
def address(
    request: pytest.FixtureRequest, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INFRAPRISM_BASE_URL with and without the final /v1."""
    monkeypatch.setenv("INFRAPRISM_BASE_URL", fake.url + request.param)
    recorder.reset()


def test_every_class_is_made_without_arguments_and_takes_our_keywords(
    environment: None, address: None, mock: MockProvider, recorded: Recorded
) -> None:
    for name in CLASSES:
        call(getattr(infraprism, name)())
    events = recorded()
    assert [event["provider"] for event in events] == list(CLASSES.values())
    assert all(event["entity_id"] == "acme" for event in events)
    assert all(event["input_tokens"] == 120 for event in events)
    assert not [request for request in mock.requests if "acme" in str(request)]


def test_every_class_is_the_providers_own_client(environment: None, fake: FakeServer) -> None:
    for name in CLASSES:
        client = getattr(infraprism, name)()
        theirs = name.replace("InfraPrism", "")
        assert theirs in [kind.__name__ for kind in type(client).__mro__]


def test_every_client_of_the_process_can_be_measured_and_none_any_more(
    mock: MockProvider, recorded: Recorded
) -> None:
    before = openai.OpenAI(api_key="k", base_url=f"{mock.url}/v1")
    original = openai.OpenAI.request
    infraprism.instrument()
    try:
        infraprism.instrument()
        after = openai.AsyncOpenAI(api_key="k", base_url=f"{mock.url}/v1")
        tracked: Any = infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")
        before.chat.completions.create(model="m", messages=MESSAGES)
        asyncio.run(ask_and_close(after))
        call(tracked)
        infraprism.instrument(before).chat.completions.create(model="m", messages=MESSAGES)
        infraprism.uninstrument(before)
    finally:
        infraprism.uninstrument()
    before.chat.completions.create(model="m", messages=MESSAGES)
    before.close()
    assert len(mock.requests) == 5
    assert len(recorded()) == 4
    assert openai.OpenAI.request is original


def test_instrument_is_idempotent_undoable_and_attributed_by_context(
    mock: MockProvider, recorded: Recorded
) -> None:
    client = openai.OpenAI(api_key="k", base_url=f"{mock.url}/v1")
    assert infraprism.instrument(infraprism.instrument(client)) is client
    with infraprism.attribute(entity_type="team", entity_id="search"):
        client.with_options(timeout=5).chat.completions.create(model="m", messages=MESSAGES)
    infraprism.uninstrument(client)
    client.chat.completions.create(model="m", messages=MESSAGES)
    assert [event["entity_id"] for event in recorded()] == ["search"]
    assert "request" not in vars(client)


def test_an_async_client_can_be_instrumented(mock: MockProvider, recorded: Recorded) -> None:
    client = infraprism.instrument(openai.AsyncOpenAI(api_key="k", base_url=f"{mock.url}/v1"))
    asyncio.run(client.chat.completions.create(model="m", messages=MESSAGES))
    assert recorded()[0]["input_tokens"] == 120
