"""OpenAI: a call and a stream, attributed to a customer by keyword."""

from __future__ import annotations

from examples.shown_cost import show_cost
from infraprism import InfraPrismOpenAI
from sdk.tests.mock_provider import MockProvider


def main() -> None:
    with MockProvider() as mock:
        client = InfraPrismOpenAI(api_key="not-needed", base_url=f"{mock.url}/v1")
        answer = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hello"}],
            entity_type="customer",
            entity_id="example-chat",
            tags={"feature": "chatbot"},
        )
        print(answer.choices[0].message.content)
        stream = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            entity_type="customer",
            entity_id="example-chat",
        )
        print(*(chunk.choices[0].delta.content or "" for chunk in stream))
    show_cost("customer", "example-chat", calls=2)


if __name__ == "__main__":
    main()
