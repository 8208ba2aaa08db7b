"""One LLM call as it is reported: metadata from an allow-list. No field can hold content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from infraprism.attribution import Attribution
from infraprism.usage import TOKEN_FIELDS, normalise

Event = dict[str, Any]

REQUIRED_FIELDS: Final = ("id", "timestamp", "provider", "model")

FIELDS: Final = (
    *REQUIRED_FIELDS,
    *TOKEN_FIELDS,
    "service_tier",
    "cost_usd",
    "latency_ms",
    "time_to_first_token_ms",
    "entity_type",
    "entity_id",
    "session_id",
    "tags",
    "success",
    "error_type",
    "error_code",
)
"""All that leaves the process about a call; docs/sdk-privacy.md is made from it."""

RAW_USAGE: Final = "_usage"
"""Where a usage object and its service tier wait until the upload thread has time for them."""

DERIVED: Final = "_derived"
"""On events whose id is derived: where the server has one with other content, it was counted."""

SLICE: Final = 25
"""Of how many events the upload thread makes something before it offers the interpreter to the
host's threads: less than a millisecond."""

_FIXED_BYTES: Final = 800

_LOW_BITS: Final = (1 << 62) - 1
_random = random.Random()  # noqa: S311 - ids have to differ, nobody has to be unable to guess them
"""Seeded by the system with more bits than an id has; asking the system each time costs as much as
all the rest of an id. A forked child must not repeat its parent's: it seeds anew."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_event_id(now_ns: int | None = None) -> str:
    """`evt_` and a UUIDv7 in hex: sorts by time, unique over threads, forks and machines."""
    milliseconds = (time.time_ns() if now_ns is None else now_ns) // 1_000_000
    chance = _random.getrandbits(74)
    high, low = chance >> 62, chance & _LOW_BITS
    return f"evt_{(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low:032x}"


def derived_event_id(source: str, at_ms: int) -> str:
    """The id of a result that may be read again: the same for the same `source`.

    `source` names the result at its provider, `at_ms` is when it was made (0 when that is not
    known: then the id does not sort by time, which costs the server a look-up, nothing else).
    """
    digest = int.from_bytes(hashlib.sha256(source.encode(errors="replace")).digest()[:10], "big")
    high, low = digest >> 68, digest & _LOW_BITS
    moment = at_ms & ((1 << 48) - 1)
    return f"evt_{(moment << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low:032x}"


def completed(event: Event) -> Event:
    """With its usage as fields. Run by the upload thread: it takes longer than all the rest."""
    raw = event.pop(RAW_USAGE, None)
    if raw is not None:
        event.update(normalise(*raw))
    return event


def with_attribution(event: Event, who: Attribution) -> Event:
    if who.entity_type is not None:
        event["entity_type"] = who.entity_type
        event["entity_id"] = who.entity_id
    if who.session_id is not None:
        event["session_id"] = who.session_id
    if who.tags:
        event["tags"] = who.tags
    return event


def size_bytes(event: Event) -> int:
    """About what an event takes in memory and on the wire; exact enough to bound a queue."""
    size = _FIXED_BYTES + len(event["model"])
    tags = event.get("tags")
    if tags:
        for key, value in tags.items():
            size += len(key) + len(value) + 8
    return size + len(event.get("entity_id") or "") + len(event.get("session_id") or "")


def encode(events: Sequence[Event], without: frozenset[str] = frozenset()) -> bytes:
    """JSON of the listed fields alone, with commas between the events.

    `timestamp` is nanoseconds since 1970 until here.
    """
    wires: list[Event] = []
    has_cost = False
    for event in events:
        if event.keys() <= _LISTED and not without:
            wire = event.copy()
        else:
            wire = {name: event[name] for name in event if name in _LISTED and name not in without}
        wire["timestamp"] = instant(event["timestamp"])
        has_cost = has_cost or "cost_usd" in wire
        wires.append(wire)
    if has_cost:
        return ",".join([_with_exact_cost(wire) for wire in wires]).encode()
    return _json(wires)[1:-1].encode()  # all at once: half of what it takes one by one


def _with_exact_cost(wire: Event) -> str:
    cost = wire.pop("cost_usd", None)
    text = _json(wire)
    return text if cost is None else f'{text[:-1]},"cost_usd":{cost:f}}}'


_LISTED: Final = frozenset(FIELDS)
_json: Final = json.JSONEncoder(separators=(",", ":")).encode


def instant(now_ns: int) -> str:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@functools.lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
