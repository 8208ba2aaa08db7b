"""Entities on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from infraprism_server.http.fields import EntityTypeField, printable
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import QueryDate, ZoneName
from infraprism_server.http.wire import Dollars, Instant
from infraprism_server.money import PICO_PER_DOLLAR

MAX_METADATA_KEYS = 50
MAX_REVENUE_PICO = 1_000_000_000 * PICO_PER_DOLLAR

SortField = Literal[
    "total_cost",
    "-total_cost",
    "total_events",
    "-total_events",
    "first_seen",
    "-first_seen",
    "last_seen",
    "-last_seen",
    "entity_id",
    "-entity_id",
]


class ListEntitiesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: EntityTypeField | None = None
    start_date: QueryDate | None = None
    end_date: QueryDate | None = None
    timezone: ZoneName | None = None
    sort: Annotated[SortField, msgspec.Meta(description="With `-` descending.")] = "-total_cost"
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class EntityOut(msgspec.Struct, frozen=True, kw_only=True):
    """What an entity costs. `first_seen` and `last_seen` are null before its first event."""

    entity_type: str
    entity_id: str
    first_seen: Instant | None
    last_seen: Instant | None
    total_cost: Dollars
    total_events: int
    total_tokens: int
    errors: int
    unpriced_events: int
    name: str | None
    metadata: dict[str, str]
    revenue_usd_monthly: Dollars | None
    revenue_usd: Dollars | None
    """Revenue over the same span as `total_cost`: the range asked for, or since first seen."""
    margin_usd: Dollars | None


class EntityDetail(EntityOut, frozen=True, kw_only=True):
    cost_by_model: dict[str, Dollars]


class EntityList(msgspec.Struct, frozen=True):
    data: list[EntityOut]
    pagination: Pagination


MetadataKey = Annotated[str, printable(64, "Key.")]
MetadataValue = Annotated[str, printable(500, "Value.", min_length=0)]


Metadata = Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=MAX_METADATA_KEYS)]


class PatchEntity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; null clears."""

    name: Annotated[str, printable(200, "A name to show.")] | msgspec.UnsetType | None = (
        msgspec.UNSET
    )
    metadata: (
        Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=MAX_METADATA_KEYS)]
        | msgspec.UnsetType
        | None
    ) = msgspec.UNSET
    revenue_usd_monthly: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="What the entity pays a month, dollars; shown as margin beside its cost.",
            extra_json_schema={
                "type": ["number", "null"],
                "minimum": 0,
                "maximum": 1_000_000_000,
            },
        ),
    ] = msgspec.field(default_factory=msgspec.Raw)
