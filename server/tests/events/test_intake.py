"""What a reported call means, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infraprism_server.clock import from_us, to_us
from infraprism_server.errors import InfraPrismError, InvalidRequest
from infraprism_server.event_store.contract import Event
from infraprism_server.events.intake import (
    AcceptedTimes,
    accepted_times,
    decode_batch,
    event_from,
    microseconds_of,
)
from infraprism_server.events.schemas import EventIn
from infraprism_server.events.whole_batch import events_at_once
from infraprism_server.money import PICO_PER_DOLLAR
from infraprism_server.pricing.calls import Calls, Quotes

NOW_US = to_us(datetime(2025, 1, 15, 12, tzinfo=UTC))
TIMES = accepted_times(NOW_US, None)


def no_price(calls: Calls) -> Quotes:
    """A price book that knows nothing."""
    return Quotes.of([(None, None)] * len(calls.each))


COSTING = (
    b'{"events":[{"timestamp":"2025-01-15T10:30:00Z","provider":"p","model":"m","cost_usd":%s}]}'
)
CALL = {"timestamp": "2025-01-15T10:30:00Z", "provider": "openai", "model": "gpt-4o"}


def decode(**fields: Any) -> EventIn | InfraPrismError:
    (decoded,) = decode_batch(msgspec.json.encode({"events": [{**CALL, **fields}]}))
    return decoded


def take(**fields: Any) -> Event:
    decoded = decode(**fields)
    if isinstance(decoded, InfraPrismError):
        raise decoded
    return event_from(decoded, decoded.id or "evt_1", TIMES, no_price)


def refused(**fields: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        take(**fields)
    return caught.value.param


def test_the_least_event_has_the_documented_defaults() -> None:
    event = take()
    assert event.timestamp_us == to_us(datetime(2025, 1, 15, 10, 30, tzinfo=UTC))
    assert (event.input_tokens, event.output_tokens, event.success) == (0, 0, True)
    assert (event.entity_type, event.tags, event.cost_source) == (None, None, "unpriced")


def test_an_offset_is_taken_into_account() -> None:
    assert take(timestamp="2025-01-15T12:30:00+02:00") == take()


def test_tags_have_one_canonical_text() -> None:
    assert take(tags={"b": "2", "a": "1"}).tags == '{"a":"1","b":"2"}'
    assert take(tags={}).tags is None


def test_a_reported_cost_is_exact_to_twelve_decimals() -> None:
    assert take(cost_usd=0.0065).cost_pico == 6_500_000_000
    assert take(cost_usd=0).cost_source == "reported"
    assert take(cost_usd=None).cost_source == "unpriced"
    (decoded,) = decode_batch(
        b'{"events":[{"timestamp":"2025-01-15T10:30:00Z","provider":"p","model":"m",'
        b'"cost_usd":0.00014499999999999998}]}'
    )
    assert isinstance(decoded, EventIn)
    assert event_from(decoded, "x", TIMES, no_price).cost_pico == 145_000_000


@given(st.decimals(0, 1_000_000, places=12))
def test_any_reported_cost_is_kept_to_the_last_digit(cost: Decimal) -> None:
    body = COSTING
    (decoded,) = decode_batch(body % format(cost, "f").encode())
    assert isinstance(decoded, EventIn)
    assert Decimal(event_from(decoded, "x", TIMES, no_price).cost_pico) == cost * PICO_PER_DOLLAR


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"timestamp": "2025-01-15T10:30:00"}, "events[0].timestamp"),
        ({"timestamp": "2025-01-16T12:00:01Z"}, "timestamp"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp"),
        ({"timestamp": 1736937000}, "events[0].timestamp"),
        ({"provider": ""}, "events[0].provider"),
        ({"model": "x" * 257}, "events[0].model"),
        ({"model": "a\x00b"}, "model"),
        ({"input_tokens": -1}, "events[0].input_tokens"),
        ({"input_tokens": 1_000_000_001}, "events[0].input_tokens"),
        ({"input_tokens": 1.5}, "events[0].input_tokens"),
        ({"input_tokens": "5"}, "events[0].input_tokens"),
        ({"input_tokens": 2**70}, "events[0].input_tokens"),
        ({"entity_type": "customer"}, "entity_id"),
        ({"entity_id": "acme"}, "entity_type"),
        ({"entity_type": "Customer", "entity_id": "a"}, "events[0].entity_type"),
        ({"entity_type": "customer", "entity_id": ".."}, "entity_id"),
        ({"entity_type": "customer", "entity_id": "a\nb"}, "entity_id"),
        ({"tags": {"a": 1}}, "events[0].tags"),
        ({"tags": {"": "x"}}, "events[0].tags"),
        ({"tags": {f"k{n}": "v" for n in range(33)}}, "events[0].tags"),
        ({"tags": {"a": "x\x07"}}, "tags.a"),
        ({"service_tier": "gold"}, "events[0].service_tier"),
        ({"prompt": "tell me"}, "events[0].prompt"),
        ({"cost_usd": -0.1}, "cost_usd"),
        ({"cost_usd": "0.1"}, "cost_usd"),
        ({"cost_usd": 1_000_001}, "cost_usd"),
        ({"cost_usd": [1]}, "cost_usd"),
        ({"cache_read_input_tokens": 1}, "cache_read_input_tokens"),
        ({"input_tokens": 5, "cache_write_1h_input_tokens": 6}, "cache_write_1h_input_tokens"),
        ({"output_tokens": 5, "reasoning_output_tokens": 6}, "reasoning_output_tokens"),
        ({"success": "yes"}, "events[0].success"),
        ({"id": ""}, "events[0].id"),
        ({"id": "x" * 129}, "events[0].id"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields) == param


def test_huge_exponents_are_refused_at_once() -> None:
    for number in (b"1e999", b"1e999999999", b"9" * 400):
        body = COSTING
        (decoded,) = decode_batch(body % number)
        assert isinstance(decoded, EventIn)
        with pytest.raises(InvalidRequest):
            event_from(decoded, "x", TIMES, no_price)


def test_one_bad_event_is_one_indexed_error() -> None:
    body = msgspec.json.encode({"events": [CALL, {**CALL, "nope": 1}, {"model": "m"}, CALL]})
    decoded = decode_batch(body)
    assert [isinstance(each, EventIn) for each in decoded] == [True, False, False, True]
    assert [each.param for each in decoded if isinstance(each, InfraPrismError)] == [
        "events[1].nope",
        "events[2].timestamp",
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"\xff\xfe", None),
        (b"null", None),
        (b"{}", "events"),
        (b'{"events":[]}', "events"),
        (b'{"events":{}}', "events"),
        (b'{"events":[],"more":1}', "events"),
        (b'{"event":[]}', "event"),
        (b'{"events":[NaN]}', None),
        (b'{"events":' + b"[" * 100_000, None),
        (msgspec.json.encode({"events": [CALL] * 1001}), "events"),
    ],
)
def test_what_is_not_a_batch_is_refused_whole(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_batch(body)
    assert caught.value.param == param


def test_a_lone_surrogate_is_one_bad_event() -> None:
    body = b'{"events":[{"timestamp":"2025-01-15T10:30:00Z","provider":"p","model":"\\ud800"}]}'
    with pytest.raises(InvalidRequest):
        decode_batch(body)


def test_retention_decides_how_old_an_event_may_be() -> None:
    times = accepted_times(NOW_US, 30)
    old = decode(timestamp=(datetime(2025, 1, 15, 12, tzinfo=UTC) - timedelta(days=31)).isoformat())
    assert isinstance(old, EventIn)
    with pytest.raises(InvalidRequest, match="earliest: 2024-12-16T12:00:00Z"):
        event_from(old, "x", times, no_price)


def priced_by_length(calls: Calls) -> Quotes:
    """A price book that knows some models, and what they cost when."""
    return Quotes.of(
        [
            (None, None) if len(call.model) % 3 == 0 else (call.input_tokens + moment % 7, 5)
            for call, moment in zip(calls.each, calls.at_us, strict=True)
        ]
    )


_counts = st.integers(0, 30)
_texts = st.sampled_from(["a", "bc", "\u00fc", ".", "..", "x\x00", "tab\t", "\u2028", "evt_1"])
_calls = st.fixed_dictionaries(
    {
        "timestamp": st.sampled_from(
            [
                CALL["timestamp"],
                "1970-01-01T00:00:00+01:00",
                "2025-01-15T09:00:00.000001-03:00",
            ]
        ),
        "provider": st.just("p"),
        "model": _texts,
    },
    optional={
        "id": _texts,
        **dict.fromkeys(
            (
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_write_input_tokens",
                "cache_write_1h_input_tokens",
                "reasoning_output_tokens",
                "input_audio_tokens",
                "output_audio_tokens",
                "web_search_requests",
            ),
            _counts,
        ),
        "entity_type": st.sampled_from(["customer", "team", "Customer", "", None]),
        "entity_id": st.none() | _texts,
        "session_id": st.none() | _texts,
        "tags": st.none() | st.dictionaries(_texts, _texts, max_size=3),
        "success": st.booleans(),
        "error_type": st.none() | _texts,
        "cost_usd": st.none() | st.sampled_from([0, 0.25, 1_000_001]),
    },
)


@given(st.lists(_calls, min_size=1, max_size=4))
@example([CALL])
@example([CALL | {"entity_type": "customer", "entity_id": "a", "tags": {"b": "c"}}, CALL])
def test_a_whole_batch_is_taken_as_its_events_are_one_by_one(calls: list[dict[str, Any]]) -> None:
    """The quick way answers the same events, or leaves the batch to the careful one."""
    body = msgspec.json.encode({"events": calls})
    one_by_one: list[Event] | None = []
    for place, sent in enumerate(decode_batch(body)):
        try:
            assert isinstance(sent, EventIn)
            event = event_from(sent, sent.id or f"made-{place}", TIMES, priced_by_length)
        except (AssertionError, InvalidRequest):
            one_by_one = None
            break
        one_by_one.append(event)
    assert events_at_once(body, "made-{}".format, TIMES, priced_by_length) == one_by_one


@given(st.lists(st.integers(0, to_us(datetime(2106, 1, 1, tzinfo=UTC))), min_size=1))
def test_the_quick_way_reads_every_microsecond(instants: list[int]) -> None:
    """Its seconds are floats: exact for every instant that is taken until 2106."""
    moments = [from_us(each) for each in instants]
    calls = [CALL | {"timestamp": moment} for moment in moments]
    times = AcceptedTimes(0, max(instants))
    body = msgspec.json.encode({"events": calls})
    events = events_at_once(body, "made-{}".format, times, no_price)
    assert events is not None
    assert events.values("timestamp_us") == instants == list(map(microseconds_of, moments))
