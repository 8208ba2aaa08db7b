"""Anomalies as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from infraprism_server.http.fields import EntityIdField, EntityTypeField, printable
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import QueryDate, ZoneName
from infraprism_server.http.wire import Digits, Dollars, Instant

Status = Literal["open", "expected", "resolved"]
Sensitivity = Literal["low", "default", "high"]
Severity = Literal["low", "medium", "high"]
AnomalyId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="The anomaly's id.")
]
PlannedId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="The planned activity's id.")
]
MAX_WATCHED_TYPES = 50
MAX_HOURS_AROUND = 672


class Window(msgspec.Struct, frozen=True):
    """From start to before end."""

    start: Instant
    end: Instant


class Contributor(msgspec.Struct, frozen=True):
    """What a part of the window's cost came from, beside the same hours a week before."""

    dimension: str
    """`model`, or a tag as `tags[KEY]`."""
    value: str | None
    cost_usd: Dollars
    week_before_usd: Dollars


class AnomalyOut(msgspec.Struct, frozen=True, kw_only=True):
    """One anomaly: the window of its episode that was furthest outside of its band."""

    id: str
    status: Status
    kind: Literal["spike", "drift", "new_entity"]
    severity: Severity
    entity_type: str | None
    """Null, with entity_id: the account's total."""
    entity_id: str | None
    text: str
    """What happened, in words."""
    window: Window
    episode: Window
    """From the first odd hour to after the last so far."""
    ongoing: bool
    """Whether fewer than 24 quiet hours have passed since."""
    actual_usd: Dollars
    """What the window cost, exactly, when it was last judged."""
    expected_usd: Dollars
    lower_usd: Dollars
    upper_usd: Dollars
    impact_usd: Dollars
    """Actual minus expected."""
    impact_percent: Digits | None
    """Of the expected; null where nothing was expected."""
    comparable: list[Instant]
    """Starts of the windows of the same length that the band is made of."""
    contributors: list[Contributor]
    """The three models or tag values that grew most."""
    detected_at: Instant


class ListAnomaliesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Detected last first. Dates choose episodes that overlap the range."""

    status: Status | None = None
    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None
    start_date: QueryDate | None = None
    end_date: QueryDate | None = None
    timezone: ZoneName | None = None
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class AnomalyList(msgspec.Struct, frozen=True):
    data: list[AnomalyOut]
    pagination: Pagination


class SeriesHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the picture. The band is that of single hours, null while too little is known."""

    start: Instant
    actual_usd: Dollars
    expected_usd: Dollars | None
    lower_usd: Dollars | None
    upper_usd: Dollars | None
    in_episode: bool


class AnomalySeries(msgspec.Struct, frozen=True, kw_only=True):
    """The hours around an episode, by start, without gaps, up to the open one."""

    id: str
    entity_type: str | None
    entity_id: str | None
    episode: Window
    hours: list[SeriesHour]


class SeriesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much to show around the episode."""

    hours_before: (
        Annotated[
            int,
            msgspec.Meta(
                ge=0,
                le=MAX_HOURS_AROUND,
                description="Hours before it: 72 when left out, 672 for a drift.",
            ),
        ]
        | None
    ) = None
    hours_after: Annotated[
        int, msgspec.Meta(ge=0, le=MAX_HOURS_AROUND, description="Hours after it.")
    ] = 24


class PatchAnomaly(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expected` teaches: the hours of the episode become part of what is usual."""

    status: Status


class SettingsOut(msgspec.Struct, frozen=True, kw_only=True):
    """How an account is watched."""

    sensitivity: Sensitivity
    minimum_impact_usd: Dollars
    watched_types: list[str] | None
    """Null: entities of every type, and the account's total."""
    snoozed_until: Instant | None
    """Until then anomalies are recorded and not told."""


class PatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; null clears."""

    sensitivity: Sensitivity | msgspec.UnsetType = msgspec.UNSET
    minimum_impact_usd: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="Excess below this is never told, dollars; null: 1, the default.",
            extra_json_schema={"type": ["number", "null"], "minimum": 0, "maximum": 1_000_000},
        ),
    ] = msgspec.field(default_factory=msgspec.Raw)
    watched_types: (
        Annotated[list[EntityTypeField], msgspec.Meta(max_length=MAX_WATCHED_TYPES)]
        | msgspec.UnsetType
        | None
    ) = msgspec.UNSET
    snoozed_until: QueryDate | msgspec.UnsetType | None = msgspec.UNSET


class CreatePlanned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """More is spent on purpose. Without an entity: by anyone of the account."""

    start_date: QueryDate
    end_date: QueryDate
    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None
    note: Annotated[str, printable(200, "What it is for.", min_length=0)] = ""


class PlannedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is told of the entity in this time, and nothing is learnt from it."""

    id: str
    start: Instant
    end: Instant
    entity_type: str | None
    entity_id: str | None
    note: str
    created_at: Instant


class PlannedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By start; those that have ended, too."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class PlannedList(msgspec.Struct, frozen=True):
    data: list[PlannedOut]
    pagination: Pagination


class PlannedDeletedOut(msgspec.Struct, frozen=True):
    deleted: bool = True
