"""What becomes of reported calls, and how their costs came about."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infraprism.api.limit_types import Blocked


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """What went wrong. `param` is the parameter or the path in the body at fault, or null."""

    code: str
    message: str
    param: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event of a batch that was not stored, and why."""

    index: int
    error: ErrorDetail


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What became of a batch. What is counted here is durable and visible to the next read."""

    accepted: int
    blocked: list[Blocked]
    duplicates: int
    rejected: list[Rejected]


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a cost."""

    above_input_tokens: int | None
    cost_usd: Decimal
    description: str | None
    discount_percent: Decimal | None
    quantity: int
    service_tier: str | None
    unit: str
    unit_price_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Rate:
    """The immutable row of rates that was used."""

    id: int
    provider: str
    model: str
    discount_percent: Decimal | None
    price_version: str
    service_tier: str
    source: str


@dataclass(frozen=True, slots=True)
class CostExplanation:
    """How a cost came about: `lines` add up to `cost_usd` exactly."""

    event_id: str
    computed_cost_usd: Decimal | None
    computed_lines: list[CostLine]
    cost_source: str
    cost_usd: Decimal
    lines: list[CostLine]
    rate: Rate | None
    unpriced_reason: str | None
