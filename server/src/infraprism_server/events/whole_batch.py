"""A batch without fault becomes events all at once, column by column, in half the time.

The rules are those of intake.py, which has the last word: where a column holds anything that one
event might be refused for, this answers None and every event is looked at by itself. A property
test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.event_columns import EventColumns
from infraprism_server.event_store.repeated import Repeated
from infraprism_server.events.intake import (
    NO_ID,
    AcceptedTimes,
    Quoting,
    canonical_tags,
    cost_of,
)
from infraprism_server.events.schemas import QuickBatch, QuickEvent, Tags
from infraprism_server.http.fields import ENTITY_TYPE, is_printable
from infraprism_server.http.wire import pico_of
from infraprism_server.money import MAX_EVENT_COST_PICO
from infraprism_server.pricing.calls import CallColumns, Calls, Numbers, Quotes

_batch_decoder = msgspec.json.Decoder(QuickBatch)
_tags_decoder = msgspec.json.Decoder(Tags | None)
_FIELDS: Final = QuickEvent.__struct_fields__
_NO_COST: Final = QuickEvent.__struct_defaults__[-1]
"""What stands for an absent cost: recognised by identity."""
_REFUSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidRequest)
_CACHE_KINDS: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
)
_OTHER_DETAILS: Final = (
    ("input_audio_tokens", "input_tokens"),
    ("reasoning_output_tokens", "output_tokens"),
    ("output_audio_tokens", "output_tokens"),
)
_TOTALS: Final = ("input_tokens", "output_tokens")
_DETAILS: Final = (
    *_CACHE_KINDS,
    *(detail for detail, _ in _OTHER_DETAILS),
    "web_search_requests",
)
_ERRORS: Final = ("error_type", "error_code")

Columns = dict[str, tuple[Any, ...]]


def events_at_once(
    body: bytes, made_id: Callable[[int], str], times: AcceptedTimes, quotes: Quoting
) -> EventColumns | None:
    """The events of a body in which every one is good; None when one of them may not be.

    `made_id` gives the event at a place the id that it came without.
    """
    try:
        sent = _batch_decoder.decode(body).events
        of: Columns = dict(zip(_FIELDS, zip(*map(astuple, sent), strict=True), strict=True))
        at_us = _microseconds(of["timestamp"])
        names = Repeated.of(
            tuple(zip(of["provider"], of["model"], of["service_tier"], strict=True))
        )
        entities = Repeated.of(tuple(zip(of["entity_type"], of["entity_id"], strict=True)))
        errors = {name: Repeated.of(of[name]) for name in _ERRORS}
        used = _used(of)
        few = chain(*names.values, *entities.values, *(error.values for error in errors.values()))
        if (
            at_us.min() < times.earliest_us
            or at_us.max() > times.latest_us
            or not _are_entities_fine(entities.values)
            or not all(map(_is_fine, (few, of["id"], of["session_id"])))
            or not _are_details_fine(used)
        ):
            return None
        reported = _reported_pico(of["cost_usd"])
        tags = Repeated.of(list(map(bytes, of["tags"]))).renamed(_canonical)
    except _REFUSED:
        return None
    quoted = quotes(Calls(sent, at_us, CallColumns(names, used)))
    return EventColumns(
        of
        | used
        | errors
        | {
            "id": [text or made_id(place) for place, text in enumerate(of["id"])],
            "timestamp_us": at_us,
            "models": names.renamed(lambda name: name[:2]),
            "entities": entities,
            "tags": tags,
            "rate_id": pa.array(quoted.rate_id, mask=quoted.rate_id == 0),
        }
        | _costs(reported, quoted)
    )


def _microseconds(moments: Sequence[datetime]) -> Numbers:
    """What `microseconds_of` says of each: exact from 1970 to 2106, out of bounds is enough else.

    Seconds as a float are known to a quarter of a microsecond until then.
    """
    seconds = np.array(list(map(datetime.timestamp, moments)))
    at_us: Numbers = np.rint(seconds * 1_000_000).astype(np.int64)
    return at_us


def _used(of: Columns) -> dict[str, Numbers]:
    """What was used of what, but for details that nobody used."""
    return {name: np.array(of[name], np.int64) for name in _DETAILS if any(of[name])} | {
        name: np.array(of[name], np.int64) for name in _TOTALS
    }


def _costs(reported: Sequence[int | None], quoted: Quotes) -> dict[str, Any]:
    """The columns that `cost_of` gives each event."""
    count = len(reported)
    if reported.count(None) == count:
        sources = ["computed"] * count
        for place in np.flatnonzero(~quoted.known).tolist():
            sources[place] = "unpriced"
        return {
            "cost_pico": quoted.cost_pico,
            "cost_source": sources,
            "computed_cost_pico": [None] * count,
        }
    listed = [quoted.at(place)[0] for place in range(count)]
    costs, names, computed = zip(*map(cost_of, reported, listed), strict=True)
    return {"cost_pico": costs, "cost_source": names, "computed_cost_pico": computed}


def _are_entities_fine(entities: Sequence[tuple[str | None, str | None]]) -> bool:
    types, ids = map(set, zip(*entities, strict=True))
    if None in types | ids and any((kind is None) is not (name is None) for kind, name in entities):
        return False
    return ids.isdisjoint(NO_ID) and all(
        ENTITY_TYPE.fullmatch(kind) is not None for kind in types if kind is not None
    )


def _is_fine(texts: Iterable[str | None]) -> bool:
    return is_printable("".join(filter(None, texts)))


def _are_details_fine(used: Mapping[str, Numbers]) -> bool:
    """Every detail is at most its total; the three kinds of cached tokens together too."""
    cached = sum(used[kind] for kind in _CACHE_KINDS if kind in used)
    return not np.any(cached > used["input_tokens"]) and not any(
        np.any(used[detail] > used[total]) for detail, total in _OTHER_DETAILS if detail in used
    )


def _reported_pico(costs: Sequence[msgspec.Raw]) -> Sequence[int | None]:
    if costs.count(_NO_COST) == len(costs):
        return [None] * len(costs)
    return [
        None if cost is _NO_COST else pico_of(cost, "cost_usd", MAX_EVENT_COST_PICO)
        for cost in costs
    ]


@lru_cache(maxsize=4_096)
def _canonical(text: bytes) -> str | None:
    """Cached by what was sent: an application spells the same few sets in the same way."""
    tags = _tags_decoder.decode(text) if text else None
    return canonical_tags(tuple(tags.items())) if tags else None
