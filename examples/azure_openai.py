"""Azure OpenAI: the deployment's name goes to Azure, the cost to a project."""

from __future__ import annotations

from examples.shown_cost import show_cost
from infraprism import InfraPrismAzureOpenAI
from sdk.tests.mock_provider import MockProvider


def main() -> None:
    with MockProvider() as mock:
        client = InfraPrismAzureOpenAI(
            api_key="not-needed", azure_endpoint=mock.url, api_version="2024-10-21"
        )
        answer = client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hello"}],
            entity_type="project",
            entity_id="example-azure",
        )
        print(answer.choices[0].message.content)
    show_cost("project", "example-azure", calls=1)


if __name__ == "__main__":
    main()
