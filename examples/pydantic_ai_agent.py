"""PydanticAI as it comes: an agent whose calls are attributed to an employee.

Needs `pip install pydantic-ai-slim[openai]`.
"""

from __future__ import annotations

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

import infraprism
from examples.shown_cost import show_cost
from sdk.tests.mock_provider import MockProvider


def main() -> None:
    infraprism.instrument()
    with MockProvider() as mock:
        provider = OpenAIProvider(api_key="not-needed", base_url=f"{mock.url}/v1")
        agent = Agent(OpenAIChatModel("gpt-4o", provider=provider))
        with infraprism.attribute(entity_type="employee", entity_id="example-agent"):
            print(agent.run_sync("Hello").output)
    show_cost("employee", "example-agent", calls=1)


if __name__ == "__main__":
    main()
