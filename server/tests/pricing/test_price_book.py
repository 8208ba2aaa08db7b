"""Names and bounds of the price book."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infraprism_server.clock import to_us
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.providers import ProviderNames

AT_US = to_us(datetime(2025, 11, 15, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("azure_openai", "azure"),
        ("azure.ai.openai", "azure"),
        ("az.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("x_ai", "x-ai"),
        ("xai", "x-ai"),
        ("vertex_ai", "google"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gemini", "google"),
        ("gcp.gen_ai", "google"),
        ("google-gla", "google"),
        ("aws.bedrock", "aws"),
        ("amazon-bedrock", "aws"),
        ("bedrock_converse", "aws"),
        ("mistral_ai", "mistral"),
        ("together_ai", "together"),
        ("moonshot_ai", "moonshotai"),
        ("my-openai-proxy", None),
        ("openai2", None),
        ("notanthropic", None),
        ("", None),
        ("x" * 300, None),
    ],
)
def test_a_provider_is_known_by_its_spellings_and_nothing_near_them(book, spelling, provider):
    assert book.provider_id(spelling) == provider


def test_azure_spellings_are_not_openai(book):
    """genai-prices' own substring rule would make them OpenAI."""
    names = ProviderNames(["openai", "azure"])
    assert names.find("azure-openai") == "azure"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "my-finetuned-llm-7b"),
        ("openai", "gpt-4o-2024-08-07"),
        ("openai", "gpt-4o-minis"),
        ("openai", "gpt-5-turbo-max"),
        ("openai", "xgpt-4o"),
        ("openai", "gpt-4o "),
        ("anthropic", "my-claude-sonnet-4-5"),
        ("mistral", "mistral-large-2999"),
        ("nobody", "gpt-4o"),
        ("openai", "gpt-4o" + "x" * 300),
        ("openai", ""),
    ],
)
def test_a_name_that_is_only_near_has_no_price(book, provider, model):
    assert book.find(provider, model, "standard", AT_US) is None


@pytest.mark.parametrize(
    ("provider", "model", "tier"),
    [
        ("openai", "gpt-5-nano", "priority"),
        ("openai", "gpt-4o", "flex"),
        ("anthropic", "claude-sonnet-4-5", "flex"),
        ("anthropic", "claude-sonnet-4-5", "priority"),
        ("deepseek", "deepseek-chat", "batch"),
        ("openai", "gpt-4o", "turbo"),
    ],
)
def test_a_tier_the_provider_does_not_sell_has_no_price(book, provider, model, tier):
    """Never the standard price in its place."""
    assert book.find(provider, model, tier, AT_US) is None


def test_litellm_names_its_provider_before_the_slash(book):
    found = book.find("litellm", "anthropic/claude-sonnet-4-5", "standard", AT_US)
    assert found is not None
    assert found.card.provider == "anthropic"
    assert book.find("litellm", "gpt-4o", "standard", AT_US) is None


def test_a_flood_of_unknown_names_is_bounded_and_evicts_nothing_known():
    book = PriceBook()
    known = book.find("openai", "gpt-4o", "standard", AT_US)
    for number in range(9_000):
        assert book.find("nobody", f"model-{number}", "standard", AT_US) is None
    assert book.cached_names() <= 16_384
    assert book.find("openai", "gpt-4o", "standard", AT_US) is known
    before = book.cached_names()
    book.find("openai", "y" * 10_000, "standard", AT_US)
    assert book.cached_names() == before


def test_free_models_cost_nothing_and_say_so(book):
    found = book.find("openai", "omni-moderation-latest", "standard", AT_US)
    assert found is not None
    assert found.card.input is not None
    assert found.card.input.pico == 0
    assert book.find("cerebras", "qwen-3-coder-480b", "standard", AT_US) is None
