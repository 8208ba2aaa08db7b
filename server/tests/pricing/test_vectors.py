"""The prices against calls whose cost is known."""

from __future__ import annotations

import json
from datetime import datetime
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
    "oa-search-preview",
    "go-cached-think",
    "mi-alias-2025",
    "az-global",
    "vx-claude",
}
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
    """High confidence must hold; the medium ones are those confirmed, by name."""
    assert vector["confidence"] == "high" or vector["id"] in MEDIUM_CONFIRMED
    expected = vector["expected_usd"]
    assert cost_usd(
        vector["provider"],
        vector["model"],
        datetime.fromisoformat(vector["timestamp"]),
        vector["usage"],
        vector.get("service_tier", "standard"),
    ) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize("row", [*CORRECTIONS.prices, *CORRECTIONS.tiers], ids=lambda row: row.id)
def test_every_correction_is_proved_by_its_vectors(row):
    """A row without a vector, a source or a date is not a correction."""
    assert row.vectors
    assert row.source.startswith("https://")
    assert datetime.fromisoformat(row.checked)
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


def test_correction_ids_are_unique():
    ids = [row.id for row in [*CORRECTIONS.prices, *CORRECTIONS.tiers]]
    assert len(ids) == len(set(ids))
