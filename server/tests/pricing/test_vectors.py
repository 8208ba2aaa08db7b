"""The prices against calls whose cost is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from infraprism_server.clock import to_us
from infraprism_server.event_store.contract import Event
from infraprism_server.money import decimal_from_pico
from infraprism_server.pricing.corrections import bundled_corrections
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.rate_card import cost_lines, total_pico

VECTORS = json.loads((Path(__file__).parent / "cost_vectors.json").read_text())
CORRECTIONS = bundled_corrections()
MEDIUM_CONFIRMED = {
    "oa-audio",
    "go-cached-think",
    "mi-alias-2025",
    "az-global",
    "vx-claude",
}
MEDIUM_FOLLOWED = {"oa-search-preview"}
"""Comes out because our row takes its fee from the vector itself: no other source was found."""
UNCONFIRMED = {
    "azure-batch",
    "deepseek-chat-launch",
    "ft-babbage-002",
    "ft-davinci-002",
    "ft-gpt-4.1-2025-04-14",
    "ft-gpt-4.1-mini-2025-04-14",
    "ft-gpt-4.1-nano-2025-04-14",
    "ft-gpt-4o-cached",
    "ft-gpt-4o-mini-cached",
    "ft-o4-mini-2025-04-16",
    "gemini-2.5-flash-cached-2025",
    "gemini-2.5-flash-lite-cached-2025",
    "gemini-2.5-pro-cached-2025",
    "gpt-3.5-turbo-alias-2023",
    "gpt-4o-alias-2024",
    "gpt-4o-audio-alias-2024",
    "gpt-4o-realtime-2024-10-01",
    "gpt-5-search-api-fee",
    "o3-cached-before-cut",
    "openai-batch-embeddings",
    "openai-batch-fine-tunes",
    "openai-batch-retired",
    "search-preview-fee",
    "search-preview-fee-before",
}
"""Rows that nothing was found for: each needs someone to read its source."""
BOOK = PriceBook()


def cost_usd(
    provider: str, model: str, at: datetime, usage: dict[str, int], service_tier: str
) -> Decimal | None:
    event = Event(
        id="evt",
        timestamp_us=to_us(at),
        provider=provider,
        model=model,
        service_tier=service_tier,
        **usage,
    )
    priced = BOOK.find(provider, model, service_tier, event.timestamp_us)
    total = total_pico(priced.card, event) if priced else None
    if total is None:
        return None
    assert priced is not None
    lines = cost_lines(priced.card, event)
    assert isinstance(lines, list)
    assert sum(line.cost_pico for line in lines) == total
    return decimal_from_pico(total)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_every_vector_comes_out_exactly(vector):
    """High confidence must hold; the medium ones are listed by name, and by what they rest on."""
    assert vector["confidence"] == "high" or vector["id"] in MEDIUM_CONFIRMED | MEDIUM_FOLLOWED
    expected = vector["expected_usd"]
    assert cost_usd(
        vector["provider"],
        vector["model"],
        datetime.fromisoformat(vector["timestamp"]),
        vector["usage"],
        vector.get("service_tier", "standard"),
    ) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize("row", [*CORRECTIONS.prices, *CORRECTIONS.tiers], ids=lambda row: row.id)
def test_every_correction_computes_its_vectors(row):
    """The arithmetic; whether the price is right is the business of the row's evidence."""
    assert row.vectors
    assert row.source.startswith("https://")
    assert (row.checked is None) == (row.evidence is None)
    for vector in row.vectors:
        expected = None if vector.expected_usd is None else Decimal(vector.expected_usd)
        found = cost_usd(
            vector.provider or row.provider,
            vector.model,
            vector.timestamp,
            vector.usage,
            vector.service_tier,
        )
        assert found == expected, vector


def test_the_unconfirmed_corrections_are_known_by_name(book):
    """A new one has to be added here, in sight; and a cost made from one says so."""
    rows = [*CORRECTIONS.prices, *CORRECTIONS.tiers]
    assert {row.id for row in rows if row.evidence is None} == UNCONFIRMED
    at_us = to_us(datetime(2025, 11, 15, tzinfo=UTC))
    searching = book.find("openai", "gpt-4o-search-preview", "standard", at_us)
    assert "(unconfirmed)" in searching.card.source
    assert "(unconfirmed)" not in book.find("openai", "gpt-4o", "standard", at_us).card.source


def test_correction_ids_are_unique():
    ids = [row.id for row in [*CORRECTIONS.prices, *CORRECTIONS.tiers]]
    assert len(ids) == len(set(ids))
