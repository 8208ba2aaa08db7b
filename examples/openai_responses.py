"""OpenAI's responses, asynchronous: many customers at once, each task with its own attribution."""

from __future__ import annotations

import asyncio

from examples.shown_cost import show_cost
from infraprism import AsyncInfraPrismOpenAI, attribute
from sdk.tests.mock_provider import MockProvider


async def ask(client: AsyncInfraPrismOpenAI, customer: str) -> str:
    with attribute(entity_type="customer", entity_id=customer):
        answer = await client.responses.create(model="gpt-5-mini", input="Hello")
        return answer.output_text


async def ask_all(url: str, customers: list[str]) -> list[str]:
    async with AsyncInfraPrismOpenAI(api_key="not-needed", base_url=f"{url}/v1") as client:
        return await asyncio.gather(*(ask(client, customer) for customer in customers))


def main() -> None:
    customers = ["example-responses-a", "example-responses-b"]
    with MockProvider() as mock:
        print(asyncio.run(ask_all(mock.url, customers)))
    for customer in customers:
        show_cost("customer", customer, calls=1)


if __name__ == "__main__":
    main()
