"""Limits, and who is blocked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and its current period. Of a `*` limit the entity is shown that spent most."""

    id: str
    entity_type: str
    entity_id: str
    metric: str
    amount: Decimal
    period: str
    timezone: str
    action: str
    approaching: list[Decimal]
    created_at: datetime
    entities_reached: int
    highest_entity_id: str | None
    period_start: datetime
    remaining: Decimal
    resets_at: datetime | None
    spent: Decimal
    state: str
    unpriced_events: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """Whether an entity may call, and the limit that decides; nulls where no limit covers it."""

    entity_type: str
    entity_id: str
    status: str
    metric: str | None = None
    amount: Decimal | None = None
    limit_id: str | None = None
    period_start: datetime | None = None
    remaining: Decimal | None = None
    resets_at: datetime | None = None
    spent: Decimal | None = None
    unpriced_events: int = 0


@dataclass(frozen=True, slots=True)
class BlockChange:
    """An entity that is blocked (`blocked` true, and by which limit) or no longer is (nulls)."""

    entity_type: str
    entity_id: str
    blocked: bool
    changed_at: datetime
    metric: str | None = None
    amount: Decimal | None = None
    limit_id: str | None = None
    resets_at: datetime | None = None
    spent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class BlockChanges:
    """What a client needs to be up to date."""

    as_of: datetime
    complete: bool
    data: list[BlockChange]


@dataclass(frozen=True, slots=True)
class Blocked:
    """An entity that a limit blocks now, until `resets_at` (null: until the limit is changed)."""

    entity_type: str
    entity_id: str
    metric: str
    amount: Decimal
    limit_id: str
    resets_at: datetime | None
    spent: Decimal
