"""What the methods of the client take by name, typed. What is left out stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, TypedDict

Moment = str | date | datetime
Dollars = int | float | Decimal
"""Sent as written: prefer Decimal or int, a float is sent as its shortest decimal form."""
Scope = Literal["full", "read", "ingest"]
ServiceTier = Literal["standard", "batch", "flex", "priority"]
ExportFormat = Literal["csv", "json", "parquet", "xlsx"]
Metric = Literal["cost_usd", "tokens", "requests"]
Period = Literal["hour", "day", "week", "month", "total"]
Action = Literal["notify", "block"]
AnomalyStatus = Literal["open", "expected", "resolved"]
WebhookEvent = Literal[
    "anomaly.detected",
    "limit.reached",
    "limit.approaching",
    "export.completed",
    "pricing.unpriced",
]


class Range(TypedDict, total=False):
    """A span of time: dates through their end, instants exclusive, in `timezone`."""

    start_date: Moment
    end_date: Moment
    timezone: str


class Filters(Range, total=False):
    """Which events: all given ones hold at once. `tags` are those an event has to have."""

    entity_type: str
    entity_id: str
    model: str
    provider: str
    session_id: str
    success: bool
    tags: Mapping[str, str]


class EntityFilters(Range, total=False):
    """Which entities, and their order: `-` before a name is descending."""

    type: str
    sort: str


class UsageOptions(Filters, total=False):
    """How sums are grouped and cut: `top` folds the rest into one row."""

    group_by: Sequence[str]
    interval: Literal["hour", "day", "week", "month", "none"]
    top: int


class ExportFilters(TypedDict, total=False):
    """Which events are exported."""

    timezone: str
    entity_type: str
    entity_id: str
    model: str
    provider: str
    session_id: str
    success: bool
    tags: Mapping[str, str]


class AnomalyFilters(Range, total=False):
    """Which anomalies."""

    status: AnomalyStatus
    entity_type: str
    entity_id: str


class AccountChanges(TypedDict, total=False):
    """What an account changes of itself. `retention_days` None keeps events for ever."""

    name: str
    company: str
    timezone: str
    retention_days: int | None


class EntityChanges(TypedDict, total=False):
    """What people say about an entity; None takes it away."""

    name: str | None
    metadata: Mapping[str, str] | None
    revenue_usd_monthly: Dollars | None


class LimitOptions(TypedDict, total=False):
    """What a limit may be given. Without a time zone it has the account's."""

    timezone: str
    action: Action
    approaching: Sequence[Dollars]


class LimitChanges(LimitOptions, total=False):
    """What can be changed of a limit."""

    amount: Dollars
    period: Period


class WebhookChanges(TypedDict, total=False):
    """What can be changed of a webhook."""

    url: str
    events: Sequence[WebhookEvent]
    enabled: bool


class AnomalySettingsChanges(TypedDict, total=False):
    """How the account is watched. `watched_types` None: every type, and the total."""

    sensitivity: Literal["low", "default", "high"]
    minimum_impact_usd: Dollars | None
    watched_types: Sequence[str] | None
    snoozed_until: Moment | None


class PriceFields(TypedDict, total=False):
    """A price of one's own: rates, or a discount on the list price."""

    model: str
    match: Literal["exact", "prefix", "provider"]
    discount_percent: Dollars
    effective_from: datetime
    effective_to: datetime
    note: str
    input_usd_per_million: Dollars
    output_usd_per_million: Dollars
    cache_read_usd_per_million: Dollars
    cache_write_usd_per_million: Dollars
    cache_write_1h_usd_per_million: Dollars
    reasoning_usd_per_million: Dollars
    input_audio_usd_per_million: Dollars
    output_audio_usd_per_million: Dollars
    request_usd_per_thousand: Dollars
    web_search_usd_per_thousand: Dollars


class RepricingOptions(TypedDict, total=False):
    """Which events get a new cost. `dry_run` only says what would change."""

    dry_run: bool
    only: Literal["all", "unpriced"]
    start_date: Moment
    end_date: Moment
    entity_type: str
    entity_id: str
    model: str
    provider: str
