"""Events to append, by hand and by Hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import CostChange, CostSource, Event
from infraprism_server.ids import derived_event_id
from infraprism_server.money import MAX_EVENT_COST_PICO

NOON = 1_772_366_400_000_000
"""2026-03-01T12:00:00Z"""
MIDNIGHT = NOON - 12 * MICROSECONDS_PER_HOUR
MAX_COUNT = 2**31 - 1


def tags_text(tags: dict[str, str]) -> str | None:
    return (
        json.dumps(tags, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if tags
        else None
    )


def native_id(number: int) -> str:
    return derived_event_id(NOON + number * 1_000, str(number))


def event(number: int = 0, **fields: Any) -> Event:
    """An ordinary event; each number has its own id and second."""
    given: dict[str, Any] = {
        "id": native_id(number),
        "timestamp_us": NOON + number * 1_000_000,
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 10,
        "entity_type": "customer",
        "entity_id": "acme",
        "cost_pico": 350_000_000,
        "cost_source": "computed",
        "rate_id": 1,
    }
    return Event(**(given | fields))


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    ["é", "a/b", "a~b", "*", '"', "\\", "\x00", "$.x", "'; --", "0", "\x1f"]
)
tag_keys = st.sampled_from(["env", "region", "a/b", "~", "*", '"', "é"]) | texts
tag_values = st.sampled_from(["prod", "dev", "", "null"]) | texts
entity_names = st.tuples(
    st.sampled_from(["customer", "team"]), st.sampled_from(["acme", "a/b", "é", "\x00"]) | texts
)

_edges = [
    MIDNIGHT + day * MICROSECONDS_PER_DAY + part
    for day in (-1, 0, 1, 2)
    for part in (0, MICROSECONDS_PER_HOUR // 4, 5 * MICROSECONDS_PER_HOUR, NOON - MIDNIGHT)
]
instants = st.one_of(
    st.builds(lambda edge, shift: edge + shift, st.sampled_from(_edges), st.integers(-1, 1)),
    st.integers(MIDNIGHT - MICROSECONDS_PER_DAY, MIDNIGHT + 3 * MICROSECONDS_PER_DAY),
    st.sampled_from([0, -1, 1_709_164_800_000_000, 253_402_300_799_999_999]),
)
counts = st.sampled_from([0, 0, 1, 7, 1_000, MAX_COUNT])
costs = st.sampled_from([0, 1, 5_375_000_000, MAX_EVENT_COST_PICO]) | st.integers(0, 10**13)
sources: st.SearchStrategy[CostSource] = st.sampled_from(["computed", "reported", "unpriced"])
rates = st.none() | st.integers(1, 9)
ids = st.one_of(
    st.integers(0, 30).map(native_id),
    st.integers(0, 8).map(lambda n: derived_event_id(n * 10**15, "far")),
    st.sampled_from(["", "x", "evt_1", "é", "order/7", "evt_" + "0" * 32]),
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    name = draw(st.none() | entity_names)
    source = draw(sources)
    return Event(
        id=draw(ids),
        timestamp_us=draw(instants),
        provider=draw(st.sampled_from(["openai", "anthropic"])),
        model=draw(st.sampled_from(["gpt-4o", "claude", "é"])),
        input_tokens=draw(counts),
        output_tokens=draw(counts),
        cache_read_input_tokens=draw(counts),
        cache_write_input_tokens=draw(counts),
        cache_write_1h_input_tokens=draw(counts),
        reasoning_output_tokens=draw(counts),
        input_audio_tokens=draw(counts),
        output_audio_tokens=draw(counts),
        web_search_requests=draw(counts),
        service_tier=draw(st.sampled_from(["standard", "standard", "batch", "flex"])),
        latency_ms=draw(st.none() | counts),
        entity_type=name and name[0],
        entity_id=name and name[1],
        session_id=draw(st.none() | st.sampled_from(["s1", "s2", ""])),
        tags=tags_text(draw(st.dictionaries(tag_keys, tag_values, max_size=3))),
        success=draw(st.booleans()),
        error_type=draw(st.none() | st.just("rate_limit")),
        error_code=draw(st.none() | texts),
        cost_pico=draw(costs),
        cost_source=source,
        computed_cost_pico=draw(st.none() | costs) if source == "reported" else None,
        rate_id=draw(rates),
    )


cost_changes = st.builds(
    CostChange,
    event_id=ids,
    cost_pico=costs,
    cost_source=sources,
    computed_cost_pico=st.none() | costs,
    rate_id=rates,
)
