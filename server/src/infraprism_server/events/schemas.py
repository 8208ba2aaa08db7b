"""Events on the wire: what comes in, what goes out, and the filters that lists share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from infraprism_server.http.error_body import ErrorDetail
from infraprism_server.http.fields import (
    EntityIdField,
    EntityTypeField,
    ModelField,
    ProviderField,
    SessionField,
    printable,
)
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import QueryDate, ZoneName
from infraprism_server.http.wire import Dollars, Instant
from infraprism_server.limits.schemas import Blocked

MAX_TOKENS = 1_000_000_000
MAX_LATENCY_MS = 7 * 24 * 3_600_000
MAX_TAGS = 32
MAX_TAG_KEY = 64
MAX_TAG_VALUE = 256
MAX_EVENTS = 1_000

Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]
ServiceTier = Literal["standard", "batch", "flex", "priority"]
TagKeyText = Annotated[str, printable(MAX_TAG_KEY, "Tag key.")]
TagValueText = Annotated[str, printable(MAX_TAG_VALUE, "Tag value.", min_length=0)]
Tags = Annotated[
    dict[TagKeyText, TagValueText],
    msgspec.Meta(max_length=MAX_TAGS, description="Dimensions of your own; values are strings."),
]


class EventIn(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One LLM call as a client reports it: metadata only, there is no field for content."""

    timestamp: Annotated[
        datetime,
        msgspec.Meta(tz=True, description="When the call was made; with an offset, never naive."),
    ]
    provider: ProviderField
    model: ModelField
    id: (
        Annotated[
            str,
            printable(128, "Your id of the call: it counts once, however often it is sent."),
        ]
        | None
    ) = None
    input_tokens: Annotated[
        Tokens, msgspec.Meta(description="All input tokens, cached ones too.")
    ] = 0
    output_tokens: Annotated[
        Tokens, msgspec.Meta(description="All output tokens, reasoning ones too.")
    ] = 0
    cache_read_input_tokens: Tokens = 0
    cache_write_input_tokens: Annotated[
        Tokens, msgspec.Meta(description="Written to a cache that lives 5 minutes.")
    ] = 0
    cache_write_1h_input_tokens: Tokens = 0
    reasoning_output_tokens: Tokens = 0
    input_audio_tokens: Tokens = 0
    output_audio_tokens: Tokens = 0
    web_search_requests: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    service_tier: ServiceTier = "standard"
    latency_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_LATENCY_MS)] | None = None
    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None
    session_id: SessionField | None = None
    tags: Tags | None = None
    success: bool = True
    error_type: Annotated[str, printable(128, "Class of the error of a failed call.")] | None = None
    error_code: Annotated[str, printable(128, "Code of the error of a failed call.")] | None = None
    cost_usd: Annotated[
        msgspec.Raw,
        msgspec.Meta(
            description="What the provider itself reported the call to cost; it is then the cost.",
            extra_json_schema={"type": ["number", "null"], "minimum": 0, "maximum": 1_000_000},
        ),
    ] = msgspec.field(default_factory=msgspec.Raw)


class QuickEvent(EventIn, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """The same call, decoded in half the time: two fields are left for whoever reads it to check.

    A pattern costs a call of Python's own regular expressions, and tags repeat: see whole_batch.py.
    """

    entity_type: str | None = None
    tags: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]
    cost_usd: msgspec.Raw = msgspec.Raw()


class QuickBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """EventBatch, of those."""

    events: Annotated[list[QuickEvent], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


class EventBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to 1,000 events. One bad event does not keep the others out."""

    events: Annotated[list[EventIn], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


class RawBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same, undecoded: the second look, when one event of a batch is wrong."""

    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=MAX_EVENTS)]


class Rejected(msgspec.Struct, frozen=True):
    """One event of a batch that was not stored, and why."""

    index: int
    error: ErrorDetail


class BatchAnswer(msgspec.Struct, frozen=True):
    """What became of a batch. What is counted here is durable and visible to the next read."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
    blocked: list[Blocked]
    """The entities of the batch that a limit with action `block` blocks now. Nothing was refused:
    the caller is asked to stop calling for them."""


class EventOut(msgspec.Struct, frozen=True, kw_only=True):
    """One LLM call with its cost."""

    id: str
    timestamp: Instant
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    cost_usd: Dollars
    latency_ms: int | None
    entity_type: str | None
    entity_id: str | None
    tags: dict[str, str]
    success: bool
    total_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    cache_write_1h_input_tokens: int
    reasoning_output_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    web_search_requests: int
    service_tier: str
    session_id: str | None
    error_type: str | None
    error_code: str | None
    cost_source: Literal["computed", "reported", "unpriced"]
    computed_cost_usd: Dollars | None


class EventList(msgspec.Struct, frozen=True):
    data: list[EventOut]
    pagination: Pagination


class FilterQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The filters of events, usage and exports."""

    start_date: QueryDate | None = None
    end_date: QueryDate | None = None
    entity_type: EntityTypeField | None = None
    entity_id: EntityIdField | None = None
    model: ModelField | None = None
    provider: ProviderField | None = None
    session_id: SessionField | None = None
    success: bool | None = None
    tags: Annotated[
        dict[TagKeyText, TagValueText],
        msgspec.Meta(
            max_length=MAX_TAGS,
            description="`tags[KEY]=VALUE`, repeatable: events whose tags have all of them.",
        ),
    ] = {}
    timezone: ZoneName | None = None


class ListEventsQuery(FilterQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None
