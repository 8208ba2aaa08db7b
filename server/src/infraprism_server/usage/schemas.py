"""Usage on the wire."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from infraprism_server.event_store.sums import Sums
from infraprism_server.events.schemas import FilterQuery
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.wire import Dollars
from infraprism_server.usage.interval import Interval

GROUP_PATTERN = (
    r"^(model|provider|entity_type|entity_id|session_id|service_tier|success"
    r"|tags\[[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,64}\])$"
)
MAX_GROUP_FIELDS = 5


class UsageQueryIn(FilterQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    group_by: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=GROUP_PATTERN)]],
        msgspec.Meta(
            max_length=MAX_GROUP_FIELDS,
            description="Repeatable: model, provider, entity_type, entity_id, session_id, "
            "service_tier, success, tags[KEY].",
            examples=[["model"], ["entity_id", "tags[feature]"]],
        ),
    ] = []
    interval: Annotated[
        Interval, msgspec.Meta(description="Calendar buckets in `timezone`; weeks start on Monday.")
    ] = "none"
    top: (
        Annotated[
            int,
            msgspec.Meta(ge=1, le=1_000, description="Keep the dearest groups, fold the rest."),
        ]
        | None
    ) = None
    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class SumsOut(msgspec.Struct, frozen=True, kw_only=True):
    """Exact sums. `unpriced_events` is the part of `events` that has no price yet."""

    cost_usd: Dollars
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
    reported_cost_usd: Dollars
    average_latency_ms: int | None


class UsageRowOut(SumsOut, frozen=True, kw_only=True):
    """Sums of one interval and group; `other` is what `top` folded."""

    start: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
    end: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
    group: dict[str, str | bool | None] | None
    other: bool = False


class UsageOut(msgspec.Struct, frozen=True):
    data: list[UsageRowOut]
    totals: SumsOut
    pagination: Pagination


def sums_out(sums: Sums) -> SumsOut:
    return SumsOut(**sums_fields(sums))


def sums_fields(sums: Sums) -> dict[str, Any]:
    """The wire fields of sums, for every Struct that includes them."""
    return {
        "cost_usd": Dollars(sums.cost_pico),
        "events": sums.events,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "total_tokens": sums.input_tokens + sums.output_tokens,
        "cache_read_input_tokens": sums.cache_read_input_tokens,
        "cache_write_input_tokens": sums.cache_write_input_tokens,
        "cache_write_1h_input_tokens": sums.cache_write_1h_input_tokens,
        "reasoning_output_tokens": sums.reasoning_output_tokens,
        "input_audio_tokens": sums.input_audio_tokens,
        "output_audio_tokens": sums.output_audio_tokens,
        "web_search_requests": sums.web_search_requests,
        "errors": sums.errors,
        "unpriced_events": sums.unpriced_events,
        "reported_cost_usd": Dollars(sums.reported_cost_pico),
        "average_latency_ms": (
            (sums.latency_ms + sums.latency_events // 2) // sums.latency_events
            if sums.latency_events
            else None
        ),
    }
