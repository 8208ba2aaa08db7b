"""Limits as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from infraprism_server.http.fields import EntityIdField, EntityTypeField
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import ZoneName
from infraprism_server.http.wire import Digits, Instant
from infraprism_server.limits.limit import MAX_APPROACHING, MAX_COUNT, Action, Metric, State
from infraprism_server.limits.period import PeriodKind

LimitId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="The limit's id.")]
Amount = Annotated[
    msgspec.Raw,
    msgspec.Meta(
        description="What may be spent in a period: dollars with at most 12 decimals, or a whole "
        "number of tokens or requests.",
        examples=[100],
        extra_json_schema={"type": "number", "exclusiveMinimum": 0, "maximum": MAX_COUNT},
    ),
]
Approaching = Annotated[
    tuple[
        Annotated[
            msgspec.Raw,
            msgspec.Meta(
                extra_json_schema={
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "exclusiveMaximum": 1,
                }
            ),
        ],
        ...,
    ],
    msgspec.Meta(
        max_length=MAX_APPROACHING,
        description="Fractions of the amount at which to tell `limit.approaching`; a new limit has "
        "[0.8] unless you say otherwise.",
    ),
]
MetricField = Annotated[
    Metric,
    msgspec.Meta(
        description="cost_usd; tokens: input and output; requests: calls, failed ones included."
    ),
]
PeriodField = Annotated[
    PeriodKind,
    msgspec.Meta(description="After which spending starts anew, in `timezone`; total: never."),
]
ActionField = Annotated[
    Action,
    msgspec.Meta(description="notify: webhooks tell; block: callers are told not to call, too."),
]


class CreateLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit to make. Numbers are left undecoded, so that they stay exact: decode it from JSON."""

    entity_type: EntityTypeField
    entity_id: Annotated[
        EntityIdField,
        msgspec.Meta(description="The entity's id, or `*`: each entity of the type, on its own."),
    ]
    metric: MetricField
    amount: Amount
    period: PeriodField
    timezone: ZoneName | None = None
    action: ActionField = "notify"
    approaching: Approaching | msgspec.UnsetType = msgspec.UNSET
    """Absent: 80 %."""


class ChangeLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is absent stays. For another entity or metric make another limit."""

    amount: Amount = msgspec.field(default_factory=msgspec.Raw)
    period: PeriodField | msgspec.UnsetType = msgspec.UNSET
    timezone: ZoneName | msgspec.UnsetType = msgspec.UNSET
    action: ActionField | msgspec.UnsetType = msgspec.UNSET
    approaching: Approaching | msgspec.UnsetType = msgspec.UNSET


class LimitOut(msgspec.Struct, frozen=True, kw_only=True):
    """A limit and its current period. Of a `*` limit the entity is shown that spent most."""

    id: str
    entity_type: str
    entity_id: str
    metric: Metric
    amount: Digits
    period: PeriodKind
    timezone: str
    action: Action
    approaching: list[Digits]
    created_at: Instant
    updated_at: Instant
    spent: Digits
    remaining: Digits
    state: State
    period_start: Instant
    resets_at: Instant | None
    """Null for a total, which never starts anew."""
    unpriced_events: int
    """Calls of the period without a price: `spent` in dollars says too little while there are."""
    highest_entity_id: str | None
    """Of a `*` limit whose `spent` this is; null when nobody spent anything, and for others."""
    entities_reached: int
    """How many entities have reached the amount in this period."""


class LimitList(msgspec.Struct, frozen=True):
    data: list[LimitOut]
    pagination: Pagination


class ListLimitsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Newest first. An entity's id finds the limits that name it; `*` ones are named `*`."""

    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class LimitDeletedOut(msgspec.Struct, frozen=True):
    deleted: bool = True


class StatusQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose limits to look at."""

    entity_type: EntityTypeField
    entity_id: EntityIdField


class LimitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an entity may call, and the limit that decides; nulls where no limit covers it."""

    entity_type: str
    entity_id: str
    status: Literal["allow", "block"]
    limit_id: str | None = None
    metric: Metric | None = None
    amount: Digits | None = None
    spent: Digits | None = None
    remaining: Digits | None = None
    period_start: Instant | None = None
    resets_at: Instant | None = None
    unpriced_events: int = 0


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """An entity that a limit blocks now, until `resets_at` (null: until the limit is changed)."""

    entity_type: str
    entity_id: str
    limit_id: str
    metric: Metric
    amount: Digits
    spent: Digits
    resets_at: Instant | None


class BlockedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changed since an instant."""

    since: (
        Annotated[
            str,
            msgspec.Meta(
                max_length=40,
                description="The `as_of` of the answer before; absent: everything.",
                examples=["2025-01-15T10:30:00Z"],
                extra_json_schema={"format": "date-time"},
            ),
        ]
        | None
    ) = None


class BlockChangeOut(msgspec.Struct, frozen=True, kw_only=True):
    """An entity that is blocked (`blocked` true, and by which limit) or no longer is (nulls)."""

    entity_type: str
    entity_id: str
    blocked: bool
    changed_at: Instant
    limit_id: str | None = None
    metric: Metric | None = None
    amount: Digits | None = None
    spent: Digits | None = None
    resets_at: Instant | None = None


class BlockedOut(msgspec.Struct, frozen=True):
    """What a client needs to be up to date."""

    data: list[BlockChangeOut]
    complete: bool
    """True: `data` is everybody who is blocked, forget what you knew. False: changes to it."""
    as_of: Instant
    """When the latest change was. Ask `since` this next time."""


class LimitEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `limit.reached` and `limit.approaching`."""

    limit_id: str
    entity_type: str
    entity_id: str
    metric: Metric
    amount: Digits
    spent: Digits
    period_start: Instant
    resets_at: Instant | None
    threshold: Digits
    """The fraction of the amount that was passed; 1 for `limit.reached`."""
    action: Action
    unpriced_events: int
