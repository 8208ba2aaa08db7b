"""Every way to call both providers' clients, once, with whatever versions are installed here.

Prints, as JSON, the versions and the ways that these versions have; ends with an error where one
of them was not recorded exactly once with its tokens.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from sdk.tests import test_anthropic, test_openai
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

ACME: Any = {"entity_type": "customer", "entity_id": "acme"}


def batch_of_openai(client: Any) -> None:
    client.files.content("file-b1", **ACME)


def batch_of_anthropic(client: Any) -> None:
    messages = client.messages if hasattr(client.messages, "batches") else client.beta.messages
    list(messages.batches.results("msgbatch_1", **ACME))


def calls_of_async_openai(client: Any) -> None:
    async def calls() -> None:
        async with client:
            chat = client.chat.completions
            call: Any = {"model": "gpt-4o", "messages": test_openai.MESSAGES, **ACME}
            await chat.create(**call)
            assert len([chunk async for chunk in await chat.create(stream=True, **call)]) == 4

    asyncio.run(calls())


def calls_of_async_anthropic(client: Any) -> None:
    async def calls() -> None:
        async with client:
            await client.messages.create(**test_anthropic.CALL)
            async with client.messages.stream(**test_anthropic.CALL) as events:
                await events.get_final_message()

    asyncio.run(calls())


def has(client: Any, way: Callable[[Any], None]) -> bool:
    """Whether these versions have that way to call at all."""
    needs = {
        "parse": "chat.completions.parse",
        "stream_helper": "chat.completions.stream",
        "responses": "responses",
        "responses_parse": "responses.parse",
        "responses_stream": "responses.stream",
        "responses_create_stream": "responses",
    }
    found = client
    path = needs.get(way.__name__, "") if way.__module__.endswith("test_openai") else ""
    for name in filter(None, path.split(".")):
        found = getattr(found, name, None)
    return found is not None


def main() -> int:
    told: dict[str, Any] = {"openai": version("openai"), "anthropic": version("anthropic")}
    with FakeServer() as fake, MockProvider() as mock:
        os.environ |= {"INFRAPRISM_API_KEY": "ip-test", "INFRAPRISM_BASE_URL": fake.url}
        import infraprism

        gpt: Any = {"api_key": "k", "base_url": f"{mock.url}/v1", "max_retries": 1}
        claude: Any = {"api_key": "k", "base_url": mock.url, "max_retries": 1}
        plan: list[tuple[Any, list[Callable[[Any], None]]]] = [
            (infraprism.InfraPrismOpenAI(**gpt), [*test_openai.WAYS, batch_of_openai]),
            (infraprism.InfraPrismAnthropic(**claude), [*test_anthropic.WAYS, batch_of_anthropic]),
            (infraprism.AsyncInfraPrismOpenAI(**gpt), [calls_of_async_openai]),
            (infraprism.AsyncInfraPrismAnthropic(**claude), [calls_of_async_anthropic]),
        ]
        for client, ways in plan:
            done = [way for way in ways if has(client, way)]
            for way in done:
                before = len(fake.events)
                way(client)
                assert infraprism.flush(10)
                events = list(fake.events.values())[before:]
                expected = 3 if "batch" in way.__name__ else 2 if "async" in way.__name__ else 1
                assert len(events) == expected, (way.__name__, events)
                assert events[0]["input_tokens"] == 120, (way.__name__, events)
                assert events[0]["output_tokens"] == 30, (way.__name__, events)
                assert all(event["entity_id"] == "acme" for event in events), way.__name__
            told[type(client).__name__] = [way.__name__ for way in done]
        assert not [one for one in mock.requests if "acme" in str(one)]
        assert not [one for one in mock.headers if "acme" in str(one)]
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
