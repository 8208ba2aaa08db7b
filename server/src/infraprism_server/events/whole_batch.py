"""A batch without fault becomes events all at once, column by column, in half the time.

The rules are those of intake.py, which has the last word: where a column holds anything that one
event might be refused for, this answers None and every event is looked at by itself. A property
test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import gt
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.contract import Event
from infraprism_server.events.intake import (
    NO_ID,
    AcceptedTimes,
    Quotes,
    canonical_tags,
    cost_of,
    microseconds_of,
)
from infraprism_server.events.schemas import QuickBatch, QuickEvent, Tags
from infraprism_server.http.fields import ENTITY_TYPE, is_printable
from infraprism_server.http.wire import pico_of
from infraprism_server.money import MAX_EVENT_COST_PICO

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
_REPEATED: Final = ("provider", "model", "entity_id", "error_type", "error_code")
_MANIFOLD: Final = ("id", "session_id")

Columns = dict[str, tuple[Any, ...]]


def events_at_once(
    body: bytes, made_id: Callable[[int], str], times: AcceptedTimes, quotes: Quotes
) -> list[Event] | None:
    """The events of a body in which every one is good; None when one of them may not be.

    `made_id` gives the event at a place the id that it came without.
    """
    try:
        sent = _batch_decoder.decode(body).events
        of: Columns = dict(zip(_FIELDS, zip(*map(astuple, sent), strict=True), strict=True))
        instants = list(map(microseconds_of, of["timestamp"]))
        if (
            min(instants) < times.earliest_us
            or max(instants) > times.latest_us
            or not _are_texts_fine(of)
            or not _are_details_fine(of)
        ):
            return None
        reported = _reported_pico(of["cost_usd"])
        tags = _canonical(of["tags"])
    except _REFUSED:
        return None
    ids = [text or made_id(place) for place, text in enumerate(of["id"])]
    quoted = quotes(sent, instants)
    costs = map(cost_of, reported, [listed_pico for listed_pico, _ in quoted])
    cost_pico, cost_source, computed_pico = zip(*costs, strict=True)
    # By position, in the order of the Struct; a test compares the two orders.
    return list(
        map(
            Event,
            ids,
            instants,
            of["provider"],
            of["model"],
            of["input_tokens"],
            of["output_tokens"],
            of["cache_read_input_tokens"],
            of["cache_write_input_tokens"],
            of["cache_write_1h_input_tokens"],
            of["reasoning_output_tokens"],
            of["input_audio_tokens"],
            of["output_audio_tokens"],
            of["web_search_requests"],
            of["service_tier"],
            of["latency_ms"],
            of["entity_type"],
            of["entity_id"],
            of["session_id"],
            tags,
            of["success"],
            of["error_type"],
            of["error_code"],
            cost_pico,
            cost_source,
            computed_pico,
            [rate_id for _, rate_id in quoted],
        )
    )


def _are_texts_fine(of: Columns) -> bool:
    types, entity_ids = of["entity_type"], of["entity_id"]
    if (None in types or None in entity_ids) and (
        [text is None for text in types] != [text is None for text in entity_ids]
    ):
        return False
    if not all(ENTITY_TYPE.fullmatch(text) for text in set(types) if text is not None):
        return False
    if any(text in entity_ids for text in NO_ID):
        return False
    few = set[str | None]().union(*(of[name] for name in _REPEATED))
    return is_printable("".join(filter(None, few))) and all(
        is_printable("".join(filter(None, of[name]))) for name in _MANIFOLD
    )


def _are_details_fine(of: Columns) -> bool:
    """Every detail is at most its total; the three kinds of cached tokens together too."""
    cached = [of[kind] for kind in _CACHE_KINDS if any(of[kind])]
    if cached:
        together = cached[0] if len(cached) == 1 else map(sum, zip(*cached, strict=True))
        if any(map(gt, together, of["input_tokens"])):
            return False
    return not any(
        any(map(gt, of[detail], of[total])) for detail, total in _OTHER_DETAILS if any(of[detail])
    )


def _reported_pico(costs: Sequence[msgspec.Raw]) -> Sequence[int | None]:
    if costs.count(_NO_COST) == len(costs):
        return list(repeat(None, len(costs)))
    return [
        None if cost is _NO_COST else pico_of(cost, "cost_usd", MAX_EVENT_COST_PICO)
        for cost in costs
    ]


def _canonical(sent: Sequence[msgspec.Raw]) -> list[str | None]:
    texts = list(map(bytes, sent))
    canonical = {text: _canonical_of(text) for text in set(texts)}
    return [canonical[text] for text in texts]


@lru_cache(maxsize=4_096)
def _canonical_of(text: bytes) -> str | None:
    """Cached by what was sent: an application spells the same few sets in the same way."""
    tags = _tags_decoder.decode(text) if text else None
    return canonical_tags(tuple(tags.items())) if tags else None
