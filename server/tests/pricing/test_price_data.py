"""The compiled prices against genai-prices' own arithmetic, model by model."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider

from infraprism_server.clock import to_us
from infraprism_server.event_store.contract import Event
from infraprism_server.money import decimal_from_pico
from infraprism_server.pricing.corrections import bundled_corrections
from infraprism_server.pricing.price_data import is_free, variants
from infraprism_server.pricing.rate_card import total_pico

CORRECTIONS = bundled_corrections()
MOMENTS = [
    datetime(2024, 3, 1, 3, 15, tzinfo=UTC),
    datetime(2025, 7, 1, 20, tzinfo=UTC),
    datetime(2026, 11, 15, 2, tzinfo=UTC),
    datetime(2026, 11, 15, 12, tzinfo=UTC),
    datetime(2027, 2, 1, 7, tzinfo=UTC),
]
INPUTS = (1, 123_457, 200_000, 200_001, 300_000)


def names(provider: Provider) -> list[tuple[str, ModelInfo]]:
    """Each model of a provider under a name that finds it."""
    found = []
    for model in provider.models:
        for name in (model.id, *[clause.equals for clause in equals_clauses(model.match)]):
            if provider.find_model(name) is model:
                found.append((name, model))
                break
    return found


def equals_clauses(match):
    if hasattr(match, "equals"):
        return [match]
    return [clause for part in getattr(match, "or_", []) for clause in equals_clauses(part)]


def difference(ours: Decimal | None, theirs: Decimal) -> Decimal:
    return Decimal("Infinity") if ours is None else abs(ours - theirs)


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_every_model_costs_what_genai_prices_says(provider, book):
    """Input, output and cached tokens, across tiers and dates; half a pico per line of rounding."""
    compared = 0
    for name, model in names(provider):
        if CORRECTIONS.price_rows(provider.id, name):
            continue
        for moment in MOMENTS:
            at_us = to_us(moment)
            priced = book.find(provider.id, name, "standard", at_us)
            rates = model.get_prices(moment)
            if priced is None:
                assert rates.input_mtok is None
                assert not is_free(model)
                continue
            card = priced.card
            for total in INPUTS:
                usage = {"input_tokens": total if card.input else 0}
                if card.output:
                    usage["output_tokens"] = 777
                if card.cache_read and card.input:
                    usage["cache_read_tokens"] = total // 2
                if not any(usage.values()):
                    continue
                theirs = model.calc_price(
                    Usage(**usage), provider, genai_request_timestamp=moment
                ).total_price
                event = Event(
                    id="x",
                    timestamp_us=at_us,
                    provider=provider.id,
                    model=name,
                    input_tokens=usage["input_tokens"],
                    output_tokens=usage.get("output_tokens", 0),
                    cache_read_input_tokens=usage.get("cache_read_tokens", 0),
                )
                pico = total_pico(card, event)
                ours = None if pico is None else decimal_from_pico(pico)
                allowed = Decimal("2E-12") if finer_than_pico(card) else Decimal(0)
                assert difference(ours, theirs) <= allowed, (name, moment, usage, ours, theirs)
                compared += 1
    assert compared or provider.id in {"elevenlabs"}


def finer_than_pico(card) -> bool:
    return any(rate.scale for rate in card.rates().values())


@pytest.mark.parametrize("tier", ["batch", "flex", "priority"])
def test_every_tier_in_force_costs_what_genai_prices_says(tier, book):
    """Where price data has a price of the tier in force, it is the price."""
    moment = MOMENTS[3]
    context = {"batch": {"processing": "batch"}}.get(tier, {"service_tier": tier})
    compared = 0
    for provider in providers:
        for name, model in names(provider):
            active = [
                variant
                for variant in variants(model, tier)
                if variant.constraint is None or variant.constraint.active(moment)
            ]
            if not active or CORRECTIONS.price_rows(provider.id, name):
                continue
            priced = book.find(provider.id, name, tier, to_us(moment))
            if priced is None or priced.card.input is None:
                continue
            usage = {"input_tokens": 300_000, "output_tokens": 77 if priced.card.output else 0}
            theirs = model.calc_price(
                Usage(**usage), provider, genai_request_timestamp=moment, price_context=context
            ).total_price
            event = Event(
                id="x",
                timestamp_us=to_us(moment),
                provider=provider.id,
                model=name,
                service_tier=tier,
                **usage,
            )
            pico = total_pico(priced.card, event)
            assert pico is not None
            assert decimal_from_pico(pico) == theirs, name
            compared += 1
    assert compared >= 20 if tier != "flex" else compared >= 15


def test_a_day_with_off_peak_hours_changes_price_at_their_edges(book):
    """DeepSeek's night discount of 2025: 16:30 to 00:30 UTC."""

    def input_rate(hour: int, minute: int) -> int:
        at_us = to_us(datetime(2025, 5, 5, hour, minute, tzinfo=UTC))
        return book.find("deepseek", "deepseek-chat", "standard", at_us).card.input.pico

    day, night = 270_000, 135_000
    assert [input_rate(*at) for at in ((0, 29), (0, 30), (16, 29), (16, 30), (23, 59))] == [
        night,
        day,
        day,
        night,
        night,
    ]
