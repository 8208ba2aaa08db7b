"""Our own corrections over genai-prices: rows with a source, a date and a vector each.

The rows are data in corrections.json. Two kinds: a `PriceRow` states prices of named models in a
span of time (or which other model a name stood for, or that it is no longer sold), a `TierRow`
states how a service tier's prices follow from the standard ones. A test runs every vector, which
proves the arithmetic; that the price itself is right rests on a row's `evidence`.

Prices in rows are exact decimals in dollars: per million tokens, per thousand searches or calls.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from typing import Literal

import msgspec

from infraprism_server.clock import to_us
from infraprism_server.pricing.rate_card import (
    TOKEN_UNITS,
    Rate,
    ServiceTier,
    rate_from_usd,
    with_steps,
)


class ModelMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which model names a row is about, in lower case; one condition that holds is enough."""

    equals: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    """For tier rows only: a name the price data knows already, of this family."""
    every: bool = False

    def covers(self, model: str) -> bool:
        name = model.lower()
        return (
            self.every
            or name in self.equals
            or name.startswith(self.starts_with)
            or any(part in name for part in self.contains)
        )


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A call and what it costs: the proof of a row."""

    model: str
    timestamp: datetime
    usage: dict[str, int]
    expected_usd: str | None
    """Exact decimal; null: the call must be unpriced."""
    service_tier: ServiceTier = "standard"
    provider: str | None = None
    """Default: the row's."""


class _Row(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    id: str
    provider: str
    match: ModelMatch
    source: str
    """The provider's page or announcement, as text."""
    vectors: tuple[Vector, ...]
    evidence: str | None = None
    """What was read to confirm the row; null: nothing was, it is stated from memory alone."""
    checked: str | None = None
    """The day the evidence was read, YYYY-MM-DD; null where there is none."""
    note: str | None = None
    start: datetime | None = None
    """Inclusive; null: always."""
    end: datetime | None = None
    """Exclusive; null: still."""

    def holds_at(self, at_us: int) -> bool:
        return (self.start is None or to_us(self.start) <= at_us) and (
            self.end is None or at_us < to_us(self.end)
        )

    def cited(self) -> str:
        """The source as an explained cost shows it, honest about what was not confirmed."""
        return self.source if self.evidence is not None else f"{self.source} (unconfirmed)"

    def edges_us(self) -> list[int]:
        """The instants at which the row starts or stops to hold."""
        return [to_us(edge) for edge in (self.start, self.end) if edge is not None]


class PriceRow(_Row, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Prices of named models. `merge` keeps the units it does not name, `replace` does not."""

    kind: Literal["merge", "replace", "same_as", "withdrawn"]
    prices: dict[str, str | None] = {}
    """Unit to exact decimal dollars; null takes a wrong price away."""
    above_input_tokens: int | None = None
    """A threshold: a call with more input than this costs `prices_above` in all."""
    prices_above: dict[str, str] = {}
    same_as: str | None = None
    """The name whose prices these models had, in the same provider's price data."""
    service_tier: ServiceTier = "standard"

    def rates(self) -> dict[str, Rate | None]:
        return {
            unit: None if price is None else self._stepped(unit, price)
            for unit, price in self.prices.items()
        }

    def _stepped(self, unit: str, price: str) -> Rate:
        above = self.prices_above.get(unit)
        if self.above_input_tokens is None or above is None:
            return _rate(unit, price)
        return with_steps(_rate(unit, price), [(self.above_input_tokens, _rate(unit, above))])


class TierRow(_Row, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """How a tier is priced where the price data has no price of that tier in force.

    `backdate`: the data's first price of the tier begins on the day it was written down, not on
    the day it was introduced; before it, the same ratio to the standard price holds.
    `multiply`: `units` cost `factor` times the standard price, `keep` cost the same, other token
    units have no known price (the call is unpriced); fees per search and call stay as they are.
    """

    kind: Literal["backdate", "multiply"]
    service_tier: ServiceTier
    factor: str = "1"
    units: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def exact_factor(self) -> Fraction:
        return Fraction(Decimal(self.factor))


class Corrections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. Later rows win over earlier ones."""

    version: str
    prices: tuple[PriceRow, ...]
    tiers: tuple[TierRow, ...]

    def price_rows(self, provider: str, model: str) -> list[PriceRow]:
        return [row for row in self.prices if row.provider == provider and row.match.covers(model)]

    def tier_rows(self, provider: str, model: str, service_tier: str) -> list[TierRow]:
        return [
            row
            for row in self.tiers
            if row.provider == provider
            and row.service_tier == service_tier
            and row.match.covers(model)
        ]


def bundled_corrections() -> Corrections:
    """The corrections that come with this version. Naive times in the file are refused."""
    text = files(__package__).joinpath("corrections.json").read_bytes()
    return msgspec.json.decode(text, type=Corrections, dec_hook=None)


def vector_at_us(vector: Vector) -> int:
    """The instant of a vector, microseconds UTC."""
    return to_us(vector.timestamp.astimezone(UTC))


def _rate(unit: str, price: str) -> Rate:
    rate = rate_from_usd(Decimal(price), 1_000_000 if unit in TOKEN_UNITS else 1_000)
    if rate is None:
        raise ValueError(f"{unit}: {price} is not a finite decimal")
    return rate
