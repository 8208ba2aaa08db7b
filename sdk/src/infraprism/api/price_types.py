"""Prices, models without one, and repricings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices of units in dollars; None: the unit has no price."""

    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None
    cache_read_usd_per_million: Decimal | None = None
    cache_write_usd_per_million: Decimal | None = None
    cache_write_1h_usd_per_million: Decimal | None = None
    reasoning_usd_per_million: Decimal | None = None
    input_audio_usd_per_million: Decimal | None = None
    output_audio_usd_per_million: Decimal | None = None
    request_usd_per_thousand: Decimal | None = None
    web_search_usd_per_thousand: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep(Rates):
    """The prices of the whole call once its input is strictly above a number of tokens."""

    above_input_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Rates):
    """The prices a call would be charged by."""

    provider: str
    model: str
    discount_percent: Decimal | None
    price_version: str
    service_tier: str
    source: str
    steps: list[PriceStep]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride(Rates):
    """A price of the account's own."""

    id: str
    provider: str
    model: str | None
    match: str
    created_at: datetime
    discount_percent: Decimal | None
    effective_from: datetime | None
    effective_to: datetime | None
    note: str | None


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model whose calls could not be priced."""

    provider: str
    model: str
    events: int
    first_seen: datetime
    input_tokens: int
    last_seen: datetime
    output_tokens: int


@dataclass(frozen=True, slots=True)
class EntityDifference:
    """What a repricing changes for one entity; entity null: events without one."""

    entity_type: str | None
    entity_id: str | None
    events: int
    cost_after_usd: Decimal
    cost_before_usd: Decimal
    difference_usd: Decimal


@dataclass(frozen=True, slots=True)
class RepricingResult:
    """The difference, by entity: those with the largest ones first, at most 1,000."""

    events: int
    changed_events: int
    cost_after_usd: Decimal
    cost_before_usd: Decimal
    difference_usd: Decimal
    entities: list[EntityDifference]
    newly_priced_events: int
    other_entities: EntityDifference
    still_unpriced_events: int


@dataclass(frozen=True, slots=True)
class Repricing:
    """A repricing and how far it is."""

    id: str
    status: str
    created_at: datetime
    dry_run: bool
    error: str | None
    events_done: int
    events_total: int | None
    finished_at: datetime | None
    only: str
    result: RepricingResult | None
