"""Prices on the wire: overrides, look-ups, unpriced models, repricings, explained costs.

Prices are dollars per million tokens, or per thousand searches and calls: as providers list them.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from infraprism_server.http.fields import (
    EntityIdField,
    EntityTypeField,
    ModelField,
    ProviderField,
    printable,
)
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import QueryDate
from infraprism_server.http.wire import Digits, Dollars, Instant

Price = Annotated[
    Decimal,
    msgspec.Meta(
        description="Exact decimal dollars, from 0 to 10,000 with at most 12 decimals.",
        extra_json_schema={"type": "number", "minimum": 0, "maximum": 10_000},
    ),
]
Percent = Annotated[
    Decimal,
    msgspec.Meta(
        description="Taken off the list price: from 0 to 100, with at most 12 decimals.",
        extra_json_schema={"type": "number", "minimum": 0, "maximum": 100},
    ),
]
ServiceTier = Literal["standard", "batch", "flex", "priority"]
EffectiveTime = Annotated[datetime, msgspec.Meta(tz=True, description="With an offset.")]


class Prices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A price per unit; null: no price, and a call that used the unit is unpriced."""

    input_usd_per_million: Price | None = None
    output_usd_per_million: Price | None = None
    cache_read_usd_per_million: Price | None = None
    cache_write_usd_per_million: Price | None = None
    cache_write_1h_usd_per_million: Price | None = None
    reasoning_usd_per_million: Price | None = None
    input_audio_usd_per_million: Price | None = None
    output_audio_usd_per_million: Price | None = None
    web_search_usd_per_thousand: Price | None = None
    request_usd_per_thousand: Price | None = None


class PriceOverrideIn(Prices, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price of your own: prices for a model or a prefix, or a discount."""

    provider: ProviderField
    match: Literal["exact", "prefix", "provider"] = "exact"
    model: ModelField | None = None
    discount_percent: Percent | None = None
    effective_from: EffectiveTime | None = None
    effective_to: EffectiveTime | None = None
    note: Annotated[str, printable(256, "Why, for a reader.", min_length=0)] | None = None


class PriceOverrideOut(Prices, frozen=True, kw_only=True):
    """A price of the account's own."""

    id: str
    provider: str
    match: Literal["exact", "prefix", "provider"]
    model: str | None
    discount_percent: Decimal | None
    effective_from: Instant | None
    effective_to: Instant | None
    note: str | None
    created_at: Instant


class PriceOverrideList(msgspec.Struct, frozen=True):
    data: list[PriceOverrideOut]
    pagination: Pagination


class DeletedPrice(msgspec.Struct, frozen=True):
    deleted: bool = True


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class PriceLookupQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    provider: ProviderField
    model: ModelField
    service_tier: ServiceTier = "standard"
    at: Annotated[datetime, msgspec.Meta(tz=True, description="Default: now.")] | None = None


class PriceStep(Prices, frozen=True, kw_only=True):
    """The prices of the whole call once its input is strictly above a number of tokens."""

    above_input_tokens: int


class PriceOut(Prices, frozen=True, kw_only=True):
    """The prices a call would be charged by."""

    provider: str
    model: str
    service_tier: str
    steps: list[PriceStep]
    discount_percent: Decimal | None
    source: str
    price_version: str


class UnpricedModelOut(msgspec.Struct, frozen=True):
    """A model whose calls could not be priced."""

    provider: str
    model: str
    events: int
    input_tokens: int
    output_tokens: int
    first_seen: Instant
    last_seen: Instant


class UnpricedModelList(msgspec.Struct, frozen=True):
    data: list[UnpricedModelOut]
    pagination: Pagination


class RepricingIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events to price again. Costs that the provider reported are never touched."""

    dry_run: Annotated[
        bool, msgspec.Meta(description="Only show the difference; change nothing.")
    ] = True
    only: Annotated[
        Literal["unpriced", "all"], msgspec.Meta(description="Unpriced events, or all.")
    ] = "unpriced"
    start_date: QueryDate | None = None
    end_date: QueryDate | None = None
    provider: ProviderField | None = None
    model: ModelField | None = None
    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None


class EntityDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What a repricing changes for one entity; entity null: events without one."""

    entity_type: str | None
    entity_id: str | None
    events: int
    cost_before_usd: Dollars
    cost_after_usd: Dollars
    difference_usd: Dollars


class RepricingResultOut(msgspec.Struct, frozen=True, kw_only=True):
    """The difference, by entity: those with the largest ones first, at most 1,000."""

    events: int
    changed_events: int
    newly_priced_events: int
    still_unpriced_events: int
    cost_before_usd: Dollars
    cost_after_usd: Dollars
    difference_usd: Dollars
    entities: list[EntityDifference]
    other_entities: EntityDifference
    """All the rest, in one sum."""


class RepricingOut(msgspec.Struct, frozen=True, kw_only=True):
    """A repricing and how far it is."""

    id: str
    status: Literal["queued", "running", "completed", "failed", "cancelled"]
    dry_run: bool
    only: Literal["unpriced", "all"]
    events_done: int
    events_total: int | None
    created_at: Instant
    finished_at: Instant | None
    error: str | None
    result: RepricingResultOut | None


class CostLineOut(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a cost."""

    unit: str
    quantity: int
    unit_price_usd: Digits | None
    """Per token, per search or per call, after the discount; null where it was reported."""
    cost_usd: Dollars
    service_tier: str | None
    above_input_tokens: int | None
    discount_percent: Decimal | None
    description: str | None


class RateOut(msgspec.Struct, frozen=True, kw_only=True):
    """The immutable row of rates that was used."""

    id: int
    provider: str
    model: str
    service_tier: str
    source: str
    price_version: str
    discount_percent: Decimal | None


class CostExplanationOut(msgspec.Struct, frozen=True, kw_only=True):
    """How a cost came about: `lines` add up to `cost_usd` exactly."""

    event_id: str
    cost_usd: Dollars
    cost_source: Literal["computed", "reported", "unpriced"]
    lines: list[CostLineOut]
    computed_cost_usd: Dollars | None
    """What the price book says; `computed_lines` add up to it exactly."""
    computed_lines: list[CostLineOut]
    rate: RateOut | None
    unpriced_reason: str | None
