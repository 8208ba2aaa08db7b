"""DeepSeek, xAI, Mistral and OpenRouter, which speak OpenAI's API and count tokens their own way.

With their real addresses the provider is told apart by itself:
`InfraPrismOpenAI(base_url="https://api.deepseek.com")`. Here the mock's address is nobody's, so
each client is told whose it is.
"""

from __future__ import annotations

import openai

import infraprism
from examples.shown_cost import show_cost
from sdk.tests.mock_provider import MockProvider

USAGE = {
    "deepseek": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_cache_hit_tokens": 64,
        "prompt_cache_miss_tokens": 36,
    },
    "x-ai": {"prompt_tokens": 32, "completion_tokens": 9, "cost_in_usd_ticks": 37756000},
    "mistral": {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50},
    "openrouter": {"prompt_tokens": 194, "completion_tokens": 2, "cost": 0.00014},
}
MODELS = {
    "deepseek": "deepseek-chat",
    "x-ai": "grok-4",
    "mistral": "mistral-small-latest",
    "openrouter": "openai/gpt-4o",
}


def main() -> None:
    for provider, model in MODELS.items():
        with MockProvider(lambda _, told=USAGE[provider]: told) as mock:  # type: ignore[misc]
            plain = openai.OpenAI(api_key="not-needed", base_url=f"{mock.url}/v1")
            client = infraprism.instrument(plain, provider=provider)
            with infraprism.attribute(entity_type="team", entity_id="example-compatible"):
                client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": "Hello"}]
                )
    show_cost("team", "example-compatible", calls=len(MODELS))


if __name__ == "__main__":
    main()
