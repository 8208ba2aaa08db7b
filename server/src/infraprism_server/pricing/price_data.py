"""What genai-prices states of one model, as rates in our units; nothing of ours is in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, from_us
from infraprism_server.pricing.rate_card import CALL_UNITS, Rate, rate_from_usd, with_steps

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceVariant

_PRICE_KEYS = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "reasoning": ("output_reasoning_mtok",),
    "input_audio": ("input_audio_mtok",),
    "output_audio": ("output_audio_mtok",),
    "web_search": ("web_searches_kcount",),
    "request": ("requests_kcount",),
}
_TIER_CONDITIONS = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
BEFORE_ALL_PRICES_US = 0
"""1970: an instant at which no dated price has begun."""

Rates = dict[str, Rate]


def rates_of(prices: ModelPrice) -> Rates:
    """Every rate that a set of prices states, by our units. An unconditional free model: zeros."""
    stated = {
        unit: _rate(value, 1_000 if unit in CALL_UNITS else 1_000_000)
        for unit, keys in _PRICE_KEYS.items()
        if (value := _first_stated(prices, keys)) is not None
    }
    return {unit: rate for unit, rate in stated.items() if rate is not None}


def is_free(info: ModelInfo) -> bool:
    """Whether the price data says in words that the model is free.

    An empty price list alone is not a price of zero: it also stands for `not known any more`.
    """
    if ":free" in info.id:
        return True
    said = f"{info.description or ''} {info.price_comments or ''}".lower()
    return "free of charge" in said


def standard_rates(info: ModelInfo, at_us: int) -> Rates:
    rates = rates_of(info.get_prices(from_us(at_us)))
    if not rates and is_free(info):
        return {"input": Rate(0), "output": Rate(0)}
    return rates


def variants(info: ModelInfo, service_tier: str) -> list[PriceVariant]:
    condition = _TIER_CONDITIONS.get(service_tier)
    return [variant for variant in info.price_variants or () if variant.when == condition]


def start_of(variant: PriceVariant) -> datetime:
    start = getattr(variant.constraint, "start_date", None)
    return datetime.combine(start, time.min, UTC) if start else from_us(BEFORE_ALL_PRICES_US)


def start_dates(info: ModelInfo) -> Iterable[datetime]:
    for constraint in _constraints(info):
        start = getattr(constraint, "start_date", None)
        if start is not None:
            yield datetime.combine(start, time.min, UTC)


def day_edges_us(info: ModelInfo) -> Iterable[int]:
    for constraint in _constraints(info):
        for name in ("start_time", "end_time"):
            edge = getattr(constraint, name, None)
            if edge is not None:
                offset = edge.utcoffset()
                local = (edge.hour * 60 + edge.minute) * 60 + edge.second
                seconds = local - (int(offset.total_seconds()) if offset else 0)
                yield seconds * MICROSECONDS_PER_SECOND % MICROSECONDS_PER_DAY


def _constraints(info: ModelInfo) -> Iterable[object]:
    if isinstance(info.prices, list):
        yield from (price.constraint for price in info.prices)
    yield from (variant.constraint for variant in info.price_variants or ())


def _first_stated(prices: ModelPrice, keys: tuple[str, ...]) -> Decimal | object | None:
    return next((value for key in keys if (value := prices.__dict__.get(key)) is not None), None)


def _rate(value: object, per: int) -> Rate | None:
    if isinstance(value, Decimal):
        return rate_from_usd(value, per)
    base = rate_from_usd(value.base, per)  # type: ignore[attr-defined]
    steps = [
        (tier.start, rate)
        for tier in value.tiers  # type: ignore[attr-defined]
        if (rate := rate_from_usd(tier.price, per)) is not None
    ]
    return None if base is None else with_steps(base, steps)
