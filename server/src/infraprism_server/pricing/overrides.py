"""Overrides: the prices an account has agreed with a provider, and which of them applies.

An exact model beats a prefix, a longer prefix beats a shorter one, a prefix beats a discount on a
whole provider; among equals the one created later wins. Exactly one override applies to a call:
they do not stack. Stated rates hold at every service tier and are all there is: a used unit that
the override does not name is unpriced. A discount is taken off whatever the price book says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

import msgspec

from infraprism_server.errors import InvalidRequest
from infraprism_server.pricing.rate_card import (
    CALL_UNITS,
    UNITS,
    RateCard,
    multiplied,
    rate_from_usd,
    with_rates,
)

MAX_USD_PER_MILLION: Final = 10_000
MAX_USD_PER_THOUSAND: Final = 10_000
MAX_DECIMALS: Final = 12
MAX_PER_ACCOUNT: Final = 1_000

OverrideMatch = Literal["exact", "prefix", "provider"]
_RANK: Final[dict[str, int]] = {"exact": 0, "prefix": 1, "provider": 2}


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """One override. It has either prices or a discount."""

    id: str
    provider: str
    match: OverrideMatch
    model: str | None
    """The exact name, or the prefix; case-sensitive. None for a whole provider."""
    prices: dict[str, str] | None
    """Unit to exact decimal dollars: per million tokens, per thousand searches or calls."""
    discount_percent: str | None
    effective_from_us: int | None
    effective_to_us: int | None
    note: str | None
    created_at_us: int

    def covers(self, model: str) -> bool:
        if self.match == "exact":
            return model == self.model
        return self.match == "provider" or model.startswith(self.model or "")

    def holds_at(self, at_us: int) -> bool:
        return (self.effective_from_us is None or self.effective_from_us <= at_us) and (
            self.effective_to_us is None or at_us < self.effective_to_us
        )


def by_precedence(overrides: Iterable[Override]) -> list[Override]:
    """The overrides, the one that wins first."""
    newest_first = sorted(overrides, key=lambda one: (one.created_at_us, one.id), reverse=True)
    return sorted(newest_first, key=lambda one: (_RANK[one.match], -len(one.model or "")))


def overriding_card(
    override: Override, provider: str, model: str, service_tier: str, listed: RateCard | None
) -> RateCard | None:
    """The card a call is charged by; None when a discount has no listed price to be taken off."""
    if override.prices is not None:
        card = RateCard(
            provider=provider,
            model=model,
            service_tier=service_tier,
            source=f"override {override.id}",
            price_version="override",
        )
        found = {
            unit: rate_from_usd(Decimal(usd), _per(unit)) for unit, usd in override.prices.items()
        }
        return with_rates(card, {unit: rate for unit, rate in found.items() if rate is not None})
    if listed is None or override.discount_percent is None:
        return None
    factor = 1 - Fraction(Decimal(override.discount_percent)) / 100
    scaled = {unit: multiplied(rate, factor) for unit, rate in listed.rates().items()}
    discounted = with_rates(
        listed, {unit: rate for unit, rate in scaled.items() if rate is not None}
    )
    return msgspec.structs.replace(
        discounted,
        source=f"{listed.source}; override {override.id}",
        discount_percent=override.discount_percent,
    )


def checked_prices(prices: Mapping[str, Decimal | None]) -> dict[str, str] | None:
    """Prices by unit as exact text; None when none is given. InvalidRequest naming the field."""
    found: dict[str, str] = {}
    for unit in UNITS:
        price = prices.get(unit)
        if price is None:
            continue
        bound = MAX_USD_PER_THOUSAND if unit in CALL_UNITS else MAX_USD_PER_MILLION
        _check_number(price, bound, field_name(unit))
        found[unit] = _plain(price)
    return found or None


def checked_discount(discount: Decimal | None) -> str | None:
    """The discount as exact text. InvalidRequest unless it is from 0 to 100."""
    if discount is None:
        return None
    _check_number(discount, 100, "discount_percent")
    return _plain(discount)


def check_shape(
    match: str, model: str | None, prices: Mapping[str, str] | None, discount: str | None
) -> None:
    """InvalidRequest unless the parts of an override go together."""
    if (prices is None) == (discount is None):
        raise InvalidRequest("Give prices or 'discount_percent', and not both", "discount_percent")
    if match == "provider":
        if model is not None:
            raise InvalidRequest("'model' is for the matches exact and prefix", "model")
        if prices is not None:
            raise InvalidRequest("A whole provider takes a discount, not prices", "match")
    elif not model:
        raise InvalidRequest(f"'model' is required with match '{match}'", "model")


def field_name(unit: str) -> str:
    """The wire name of a unit's price."""
    return f"{unit}_usd_per_thousand" if unit in CALL_UNITS else f"{unit}_usd_per_million"


def _per(unit: str) -> int:
    return 1_000 if unit in CALL_UNITS else 1_000_000


def _check_number(number: Decimal, bound: int, field: str) -> None:
    if not number.is_finite() or not 0 <= number <= bound:
        raise InvalidRequest(f"'{field}' is from 0 to {bound:,}", field)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMALS:
        raise InvalidRequest(f"'{field}' has at most {MAX_DECIMALS} decimals", field)


def _plain(number: Decimal) -> str:
    return format(number.normalize() + 0, "f")
