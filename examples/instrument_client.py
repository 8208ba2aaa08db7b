"""A client that exists already, measured in place; and a call made by other means, by hand."""

from __future__ import annotations

import openai

import infraprism
from examples.shown_cost import show_cost
from sdk.tests.mock_provider import MockProvider


@infraprism.attribute(entity_type="project", entity_id="example-instrument")
def work(client: openai.OpenAI) -> None:
    client.embeddings.create(model="text-embedding-3-small", input="Hello")
    infraprism.track(provider="openai", model="gpt-4o", input_tokens=120, output_tokens=30)


def main() -> None:
    with MockProvider() as mock:
        client = openai.OpenAI(api_key="not-needed", base_url=f"{mock.url}/v1")
        work(infraprism.instrument(client))
    show_cost("project", "example-instrument", calls=2)


if __name__ == "__main__":
    main()
