"""LangChain as it comes: one line measures every client, a block attributes the calls in it.

Needs `pip install langchain-openai`.
"""

from __future__ import annotations

from langchain_openai import ChatOpenAI

import infraprism
from examples.shown_cost import show_cost
from sdk.tests.mock_provider import MockProvider


def main() -> None:
    infraprism.instrument()
    with MockProvider() as mock:
        model = ChatOpenAI(model="gpt-4o", api_key="not-needed", base_url=f"{mock.url}/v1")
        with infraprism.attribute(entity_type="customer", entity_id="example-langchain"):
            print(model.invoke("Hello").content)
            print(*(chunk.content for chunk in model.stream("Hello")))
    show_cost("customer", "example-langchain", calls=2)


if __name__ == "__main__":
    main()
