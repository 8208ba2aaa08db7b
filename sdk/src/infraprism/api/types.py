"""What the API answers, typed. Money is an exact Decimal in dollars, times are aware datetimes.

Fields that a newer server adds are left out; nothing a known field says is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar

from infraprism.api.anomaly_types import (
    Anomaly,
    AnomalySeries,
    AnomalySettings,
    Contributor,
    PlannedActivity,
    SeriesHour,
    Window,
)
from infraprism.api.delivery_types import (
    Attempt,
    Delivery,
    ExportState,
    SdkDay,
    SdkHealth,
    SdkReportReceipt,
    SdkVersion,
    Webhook,
    WebhookWithSecret,
)
from infraprism.api.event_types import (
    BatchAnswer,
    CostExplanation,
    CostLine,
    ErrorDetail,
    Rate,
    Rejected,
)
from infraprism.api.limit_types import BlockChange, BlockChanges, Blocked, Limit, LimitStatus
from infraprism.api.price_types import (
    EntityDifference,
    Price,
    PriceOverride,
    PriceStep,
    Rates,
    Repricing,
    RepricingResult,
    UnpricedModel,
)

__all__ = [
    "Account",
    "Anomaly",
    "AnomalySeries",
    "AnomalySettings",
    "ApiKey",
    "Attempt",
    "BatchAnswer",
    "BlockChange",
    "BlockChanges",
    "Blocked",
    "Contributor",
    "CostExplanation",
    "CostLine",
    "CreatedApiKey",
    "Delivery",
    "Entity",
    "EntityDifference",
    "ErrorDetail",
    "Event",
    "ExportState",
    "Limit",
    "LimitStatus",
    "Page",
    "Pagination",
    "PlannedActivity",
    "Price",
    "PriceOverride",
    "PriceStep",
    "Rate",
    "Rates",
    "Rejected",
    "Repricing",
    "RepricingResult",
    "SdkDay",
    "SdkHealth",
    "SdkReportReceipt",
    "SdkVersion",
    "SeriesHour",
    "Sums",
    "UnpricedModel",
    "Usage",
    "UsageRow",
    "Webhook",
    "WebhookWithSecret",
    "Window",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose key it is."""

    id: str
    email: str
    name: str
    company: str
    plan: str
    created_at: datetime
    timezone: str
    retention_days: int | None
    rate_limit_per_minute: int


@dataclass(frozen=True, slots=True)
class Event:
    """One LLM call with its cost. `cost_source` is computed, reported or unpriced."""

    id: str
    timestamp: datetime
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: Decimal
    cost_source: str
    computed_cost_usd: Decimal | None
    latency_ms: int | None
    entity_type: str | None
    entity_id: str | None
    session_id: str | None
    tags: dict[str, str]
    success: bool
    error_type: str | None
    error_code: str | None
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    cache_write_1h_input_tokens: int
    reasoning_output_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    web_search_requests: int
    service_tier: str


@dataclass(frozen=True, slots=True)
class Entity:
    """What a customer, team or project costs; `cost_by_model` only when it was asked for alone."""

    entity_type: str
    entity_id: str
    first_seen: datetime | None
    last_seen: datetime | None
    total_cost: Decimal
    total_events: int
    total_tokens: int
    errors: int
    unpriced_events: int
    name: str | None
    metadata: dict[str, str]
    revenue_usd_monthly: Decimal | None
    margin_usd: Decimal | None
    revenue_usd: Decimal | None = None
    """Monthly revenue, for the part of the months that the totals are about."""
    cost_by_model: dict[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over calls. `unpriced_events` is the part of `events` that has no price yet."""

    cost_usd: Decimal
    events: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    cache_write_1h_input_tokens: int
    reasoning_output_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    web_search_requests: int
    errors: int
    unpriced_events: int
    reported_cost_usd: Decimal
    average_latency_ms: int | None


@dataclass(frozen=True, slots=True)
class UsageRow(Sums):
    """Sums of one interval and group; `other` is what `top` folded."""

    start: datetime | None = None
    end: datetime | None = None
    group: dict[str, str | bool | None] | None = None
    other: bool = False


@dataclass(frozen=True, slots=True)
class Pagination:
    """Where a page stands; `next_cursor` continues exactly there while data arrives."""

    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """A report: a page of its rows, and the sums over all of them."""

    data: list[UsageRow]
    totals: Sums
    pagination: Pagination


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its text."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CreatedApiKey:
    """A new key; `key` is its text, shown this once."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    scopes: list[str]
    key: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        # A log line that shows the object must not show the secret.
        return f"CreatedApiKey(id={self.id!r}, prefix={self.prefix!r})"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    data: list[T]
    pagination: Pagination
