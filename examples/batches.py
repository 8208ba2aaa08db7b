"""Results of batches: each line is a call, for the customer its `custom_id` names, counted once."""

from __future__ import annotations

from examples.shown_cost import show_cost
from infraprism import InfraPrismAnthropic, InfraPrismOpenAI, attribute
from sdk.tests.mock_provider import MockProvider


def customer(custom_id: str) -> dict[str, str]:
    """`acme/1` is for acme: whatever you put into `custom_id` when you made the batch."""
    name = custom_id.partition("/")[0]
    return {"entity_type": "customer", "entity_id": f"example-batch-{name}"}


def main() -> None:
    with MockProvider() as mock:
        openai = InfraPrismOpenAI(api_key="not-needed", base_url=f"{mock.url}/v1")
        anthropic = InfraPrismAnthropic(api_key="not-needed", base_url=mock.url)
        with attribute(by_custom_id=customer):
            batch = openai.batches.retrieve("batch_1")
            for _ in range(2):  # reading it again counts nothing twice
                print(len(openai.files.content(str(batch.output_file_id)).content), "bytes")
            print(len(list(anthropic.messages.batches.results("msgbatch_1"))), "results")
    show_cost("customer", "example-batch-acme", calls=2)


if __name__ == "__main__":
    main()
