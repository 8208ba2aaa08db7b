"""LangChain and PydanticAI as they come: one line measures them, a block attributes their calls.

Prints, as JSON, for each framework whom its calls were for and what tokens they had.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider


def langchain(url: str) -> None:
    """invoke, stream, batch (threads of its own) and ainvoke; both providers."""
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI

    import infraprism

    gpt = ChatOpenAI(model="gpt-4o", api_key="k", base_url=f"{url}/v1", max_retries=0)
    claude = ChatAnthropic(model_name="claude-x", api_key="k", base_url=url, max_retries=0)
    with infraprism.attribute(entity_type="customer", entity_id="langchain"):
        assert gpt.invoke("Hello").content == "Hello there"
        assert "".join(str(chunk.content) for chunk in gpt.stream("Hello")) == "Hellothere"
        assert len(gpt.batch(["a", "b"])) == 2
        assert claude.invoke("Hello").content == "Hello there"
        asyncio.run(gpt.ainvoke("Hello"))


def pydantic_ai(url: str) -> None:
    """An agent, run and streamed; both providers."""
    from anthropic import AsyncAnthropic
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    import infraprism

    openai = AsyncOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    anthropic = AsyncAnthropic(api_key="k", base_url=url, max_retries=0)
    gpt = Agent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=openai)))
    claude = Agent(
        AnthropicModel("claude-x", provider=AnthropicProvider(anthropic_client=anthropic))
    )

    async def runs() -> None:
        assert (await gpt.run("Hello")).output == "Hello there"
        async with gpt.run_stream("Hello") as answer:
            assert await answer.get_output() == "Hellothere"
        assert (await claude.run("Hello")).output == "Hello there"

    with infraprism.attribute(entity_type="customer", entity_id="pydantic-ai"):
        asyncio.run(runs())


def main() -> int:
    told: dict[str, Any] = {}
    with FakeServer() as fake, MockProvider() as mock:
        os.environ |= {"INFRAPRISM_API_KEY": "ip-test", "INFRAPRISM_BASE_URL": fake.url}
        import infraprism

        infraprism.instrument()
        for framework in (langchain, pydantic_ai):
            before = len(fake.events)
            framework(mock.url)
            assert infraprism.flush(10)
            told[framework.__name__] = [
                [one.get("entity_id"), one["model"], one.get("input_tokens"), one["success"]]
                for one in list(fake.events.values())[before:]
            ]
        told["requests"] = len(mock.requests)
    sys.stdout.write(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
