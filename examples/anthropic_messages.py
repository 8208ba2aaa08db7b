"""Anthropic: a message and a stream, attributed to a team by a block."""

from __future__ import annotations

from examples.shown_cost import show_cost
from infraprism import InfraPrismAnthropic, attribute
from sdk.tests.mock_provider import MockProvider

MODEL = "claude-sonnet-4-5"


def ask(client: InfraPrismAnthropic) -> None:
    message = client.messages.create(
        model=MODEL, max_tokens=50, messages=[{"role": "user", "content": "Hello"}]
    )
    print(message.usage.output_tokens, "tokens")
    with client.messages.stream(
        model=MODEL, max_tokens=50, messages=[{"role": "user", "content": "Hello"}]
    ) as stream:
        print("".join(stream.text_stream))


def main() -> None:
    with MockProvider() as mock:
        client = InfraPrismAnthropic(api_key="not-needed", base_url=mock.url)
        with attribute(entity_type="team", entity_id="example-messages"):
            ask(client)
    show_cost("team", "example-messages", calls=2)


if __name__ == "__main__":
    main()
