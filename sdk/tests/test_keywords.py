"""Our keywords find the request they were given with, and no other, whatever is made meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

import infraprism
from sdk.tests.mock_provider import MockProvider

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
Recorded = Callable[[], list[dict[str, Any]]]


def whose(name: str) -> dict[str, Any]:
    return {"entity_type": "customer", "entity_id": name}


def entities(events: list[dict[str, Any]]) -> dict[str, str | None]:
    """Whom the call of each model was for."""
    return {event["model"]: event.get("entity_id") for event in events}


@pytest.fixture
def client(mock: MockProvider, fake: object) -> Any:
    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=1)


def asks(client: Any, model: str, **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=MESSAGES, **more)


def test_a_call_inside_a_hook_of_another_call_is_for_whom_it_says(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    inner: Any = infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")
    asked: list[str] = []

    def hook(_request: object) -> None:
        if not asked:
            asked.append("once")
            asks(client, "same-client")
            asks(client, "same-client-own", **whose("own"))
            asks(inner, "other-client")
            asks(
                infraprism.instrument(openai.OpenAI(api_key="k", base_url=f"{mock.url}/v1")), "raw"
            )

    client._client.event_hooks = {"request": [hook], "response": []}
    asks(client, "outer", **whose("acme"))
    assert entities(recorded()) == {
        "outer": "acme",
        "same-client": None,
        "same-client-own": "own",
        "other-client": None,
        "raw": None,
    }


def test_a_call_made_while_the_messages_of_another_are_gathered_is_its_own(
    client: Any, recorded: Recorded
) -> None:
    def gathered() -> Any:
        asks(client, "bare")
        asks(client, "own", **whose("own"))
        yield from MESSAGES

    client.chat.completions.create(model="outer", messages=gathered(), **whose("acme"))
    assert entities(recorded()) == {"outer": "acme", "bare": None, "own": "own"}


def test_a_call_that_raises_leaves_nothing_to_the_next(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    with pytest.raises(TypeError):
        client.chat.completions.create(model="never-made", **whose("acme"))
    with pytest.raises(openai.BadRequestError):
        asks(client, "fails-400", **whose("acme"))
    asks(client, "after")
    assert entities(recorded()) == {"fails-400": "acme", "after": None}
    assert [request["model"] for request in mock.requests] == ["fails-400", "after"]


def test_a_call_that_is_retried_keeps_its_keywords_and_no_attempt_carries_them(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    asks(client, "flaky", tags={"f": "chat"}, extra_headers={"x-own": "1"}, **whose("acme"))
    [event] = recorded()
    assert (event["entity_id"], event["tags"], event["success"]) == ("acme", {"f": "chat"}, True)
    assert [request["model"] for request in mock.requests] == ["flaky", "flaky"]
    assert [headers["x-own"] for headers in mock.headers] == ["1", "1"]
    assert "acme" not in str([mock.requests, mock.headers])


def test_a_provider_is_asked_for_the_very_name_the_host_gave(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    seen: list[Any] = []
    prepare = client._prepare_options
    client._prepare_options = lambda options: seen.append(options.json_data) or prepare(options)
    model = "".join(["gpt", "-4o"])
    asks(client, model, **whose("acme"))
    assert seen[0]["model"] is model
    assert [event["entity_id"] for event in recorded()] == ["acme"]


def test_without_a_model_keywords_arrive_as_well(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    client.images.generate(prompt="x", extra_headers={"x-own": "1"}, **whose("acme"))
    [event] = recorded()
    assert event["entity_id"] == "acme"
    assert mock.headers[0]["x-own"] == "1"
    assert "acme" not in str([mock.requests, mock.headers])
    assert not [name for name in mock.headers[0] if "infraprism" in name]


def test_a_stream_that_is_opened_later_and_elsewhere_is_for_whom_it_was_made(
    client: Any, recorded: Recorded
) -> None:
    manager = client.chat.completions.stream(model="later", messages=MESSAGES, **whose("acme"))
    asks(client, "between")

    def opened() -> None:
        with manager as events:
            events.get_final_completion()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(opened).result()
    assert entities(recorded()) == {"later": "acme", "between": None}


def test_threads_and_tasks_on_one_client_keep_their_own(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    names = [f"t{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: asks(client, f"m-{name}", **whose(name)), names))

    async def awaited() -> None:
        one: Any = infraprism.AsyncInfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")
        async with one:
            coroutines = [asks(one, f"a-{name}", **whose(name)) for name in names]
            elsewhere = contextvars.Context()
            with infraprism.attribute(entity_type="team", entity_id="nobody-of-theirs"):
                tasks = [asyncio.create_task(made, context=elsewhere) for made in coroutines]
            await asyncio.gather(*tasks)

    asyncio.run(awaited())
    expected = {f"{kind}-{name}": name for kind in "ma" for name in names}
    assert entities(recorded()) == expected
