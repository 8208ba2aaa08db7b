"""A reported call becomes an event: the one place where what a client sent is given its meaning.

Pure: no store, no prices. Every rule that a schema can not state is here, and its error names the
field.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from infraprism_server.clock import MICROSECONDS_PER_DAY, iso_utc
from infraprism_server.errors import InfraPrismError, InvalidRequest
from infraprism_server.event_store.contract import CostSource, Event
from infraprism_server.events.schemas import EventBatch, EventIn, RawBatch
from infraprism_server.http.fields import is_printable
from infraprism_server.http.wire import invalid_request_from, malformed_json, pico_of
from infraprism_server.money import MAX_EVENT_COST_PICO
from infraprism_server.pricing.calls import Calls, Quotes

MAX_FUTURE_US = MICROSECONDS_PER_DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_ID = (".", "..")
"""Ids that could not be part of an address."""
_batch_decoder = msgspec.json.Decoder(EventBatch)
_raw_batch_decoder = msgspec.json.Decoder(RawBatch)
_event_decoder = msgspec.json.Decoder(EventIn)

Decoded = list[EventIn | InfraPrismError]
Quoting = Callable[[Calls], Quotes]
"""What calls cost by the price book."""


class AcceptedTimes(msgspec.Struct, frozen=True):
    """Which timestamps are taken, in microseconds; both ends inclusive."""

    earliest_us: int
    latest_us: int


def accepted_times(now_us: int, retention_days: int | None) -> AcceptedTimes:
    """From the account's retention (or 1970) to a day ahead of now."""
    earliest_us = 0
    if retention_days is not None:
        earliest_us = max(0, now_us - retention_days * MICROSECONDS_PER_DAY)
    return AcceptedTimes(earliest_us, now_us + MAX_FUTURE_US)


def decode_batch(body: bytes) -> Decoded:
    """The events of a body, with an error in the place of each that is wrong.

    Decodes all at once, which is fast; only when that fails, event by event, so that one bad event
    is one indexed error. InvalidRequest when the body is not a batch at all.
    """
    if not body:
        raise InvalidRequest("A JSON body is required")
    try:
        return _batch_decoder.decode(body).events  # type: ignore[return-value]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_each(body)


def _decode_each(body: bytes) -> Decoded:
    try:
        raw = _raw_batch_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid_request_from(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_json(error) from None
    decoded: Decoded = []
    for index, part in enumerate(raw.events):
        try:
            decoded.append(_event_decoder.decode(part))
        except msgspec.ValidationError as error:
            decoded.append(invalid_request_from(error, f"events[{index}]"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            wrong = malformed_json(error)
            decoded.append(InvalidRequest(wrong.message, f"events[{index}]"))
    return decoded


def event_from(sent: EventIn, event_id: str, times: AcceptedTimes, quotes: Quoting) -> Event:
    """The event to store, with its price. InvalidRequest naming the field when it can not be.

    A reported cost is the cost, with source `reported`; what has no price is `unpriced`.
    """
    timestamp_us = microseconds_of(sent.timestamp)
    if not times.earliest_us <= timestamp_us <= times.latest_us:
        raise _out_of_time(timestamp_us, times)
    if (sent.entity_type is None) is not (sent.entity_id is None):
        missing = "entity_id" if sent.entity_id is None else "entity_type"
        raise InvalidRequest("'entity_type' and 'entity_id' go together or not at all", missing)
    together = f"{sent.provider}{sent.model}{sent.entity_id}{sent.session_id}{sent.id}"
    if sent.error_type is not None or sent.error_code is not None:
        together += f"{sent.error_type}{sent.error_code}"
    # One look at all texts together: a control character is rare, and only then searched for.
    if sent.entity_id in NO_ID or not is_printable(together):
        _check_texts(sent)
    if (
        sent.cache_read_input_tokens
        + sent.cache_write_input_tokens
        + sent.cache_write_1h_input_tokens
        > sent.input_tokens
        or sent.input_audio_tokens > sent.input_tokens
        or sent.reasoning_output_tokens > sent.output_tokens
        or sent.output_audio_tokens > sent.output_tokens
    ):
        raise _not_subsets(sent)
    reported_pico = pico_of(sent.cost_usd, "cost_usd", MAX_EVENT_COST_PICO)
    tags = canonical_tags(tuple(sent.tags.items())) if sent.tags else None
    # After all that could be refused: a new row of rates may be stored for it.
    listed_pico, rate_id = quotes(Calls([sent], [timestamp_us])).at(0)
    # By position, in the order of the Struct: by name this one call would cost more than all the
    # checks above. A test compares the two orders.
    return Event(
        event_id,
        timestamp_us,
        sent.provider,
        sent.model,
        sent.input_tokens,
        sent.output_tokens,
        sent.cache_read_input_tokens,
        sent.cache_write_input_tokens,
        sent.cache_write_1h_input_tokens,
        sent.reasoning_output_tokens,
        sent.input_audio_tokens,
        sent.output_audio_tokens,
        sent.web_search_requests,
        sent.service_tier,
        sent.latency_ms,
        sent.entity_type,
        sent.entity_id,
        sent.session_id,
        tags,
        sent.success,
        sent.error_type,
        sent.error_code,
        *cost_of(reported_pico, listed_pico),
        rate_id,
    )


def cost_of(
    reported_pico: int | None, listed_pico: int | None
) -> tuple[int, CostSource, int | None]:
    """The cost, where it comes from, and what the price book says beside a reported one."""
    if reported_pico is not None:
        return reported_pico, "reported", listed_pico
    if listed_pico is None:
        return 0, "unpriced", None
    return listed_pico, "computed", None


@lru_cache(maxsize=4_096)
def canonical_tags(pairs: tuple[tuple[str, str], ...]) -> str:
    """Tags, in any order, as one canonical text. InvalidRequest when one is not printable.

    Cached: an application sends the same few sets again and again.
    """
    for key, value in pairs:
        if not is_printable(key) or not is_printable(value):
            raise InvalidRequest("A tag has a control character or a line break", f"tags.{key}")
    return msgspec.json.encode(dict(sorted(pairs))).decode()


def microseconds_of(moment: datetime) -> int:
    """An aware time as microseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _out_of_time(timestamp_us: int, times: AcceptedTimes) -> InvalidRequest:
    if timestamp_us > times.latest_us:
        return InvalidRequest(
            f"More than 24 hours ahead of the server's clock (latest: {iso_utc(times.latest_us)})",
            "timestamp",
        )
    return InvalidRequest(
        f"Older than what this account keeps (earliest: {iso_utc(times.earliest_us)})", "timestamp"
    )


def _check_texts(sent: EventIn) -> None:
    """InvalidRequest naming the text that is not to be stored."""
    if sent.entity_id in NO_ID:
        raise InvalidRequest(f"'entity_id' can not be '{sent.entity_id}' alone", "entity_id")
    for field in ("provider", "model", "entity_id", "session_id", "id", "error_type", "error_code"):
        text = getattr(sent, field)
        if text is not None and not is_printable(text):
            raise InvalidRequest(f"'{field}' has a control character or a line break", field)


def _not_subsets(sent: EventIn) -> InvalidRequest:
    """Which detail is more than its total; the three cache kinds exclude each other."""
    for detail, total in (
        ("input_audio_tokens", "input_tokens"),
        ("reasoning_output_tokens", "output_tokens"),
        ("output_audio_tokens", "output_tokens"),
    ):
        if getattr(sent, detail) > getattr(sent, total):
            return InvalidRequest(f"'{detail}' is a part of '{total}' and can not be more", detail)
    kinds = ("cache_read_input_tokens", "cache_write_input_tokens", "cache_write_1h_input_tokens")
    cached = sum(getattr(sent, kind) for kind in kinds)
    return InvalidRequest(
        "'input_tokens' is the total, cached tokens included: the cache details add up to "
        f"{cached}, the total is {sent.input_tokens}",
        next(kind for kind in kinds if getattr(sent, kind)),
    )
