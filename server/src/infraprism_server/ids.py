"""Ids: a type prefix and a part that sorts by time; and the 128 bits an event is known by."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Sequence
from typing import Final

import uuid_utils

EVENT: Final = "evt"
ACCOUNT: Final = "acc"
KEY: Final = "key"
JOB: Final = "job"
PRICE: Final = "prc"
REPRICING: Final = "rpr"

_NATIVE_EVENT_ID = re.compile(r"evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}").fullmatch
_NATIVE_CHARS: Final = 36
_VARIANTS: Final = frozenset("89ab")


def new_id(prefix: str) -> str:
    """A new id such as `evt_0192…`: the prefix and a UUIDv7 as 32 hexadecimal digits."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def event_key(event_id: str) -> tuple[bytes, str | None]:
    """The 16 bytes an event id is stored and deduplicated by, and its text where that is needed.

    `evt_` with a UUIDv7 is stored as itself (text None). Any other id is 128 bits of its SHA-256,
    and its text is kept beside them, to be given back and to be compared when the bits are found.
    """
    if _NATIVE_EVENT_ID(event_id) is not None:
        return bytes.fromhex(event_id[4:]), None
    return hashlib.sha256(event_id.encode()).digest()[:16], event_id


def event_keys(event_ids: Sequence[str]) -> tuple[Sequence[bytes], Sequence[str | None]]:
    """`event_key` of many, in one order: keys and texts. Native ids alone take a tenth of it."""
    count = len(event_ids)
    joined = "".join(event_ids)
    if (
        set(map(len, event_ids)) == {_NATIVE_CHARS}
        and joined[16::_NATIVE_CHARS] == "7" * count
        and _VARIANTS.issuperset(joined[20::_NATIVE_CHARS])
        and all(joined[at::_NATIVE_CHARS] == sign * count for at, sign in enumerate("evt_"))
    ):
        digits = joined.replace("evt_", "")
        with contextlib.suppress(ValueError):
            packed = bytes.fromhex(digits)
            if packed.hex() == digits:  # lower case, and nothing between
                return [packed[at : at + 16] for at in range(0, 16 * count, 16)], [None] * count
    keys, texts = zip(*map(event_key, event_ids), strict=True)
    return keys, texts


def event_id_from_key(key: bytes, text: str | None) -> str:
    """The id that `event_key` took apart."""
    return text if text is not None else f"evt_{key.hex()}"


def derived_event_id(instant_us: int, *parts: str) -> str:
    """A native event id that is always the same for the same instant and parts.

    Shaped like a UUIDv7: 48 bits of the instant in milliseconds, then a hash, so that ids made
    from the rows of a file, or from an idempotency key, sort and deduplicate as fast as new ones.
    """
    digest = bytearray(hashlib.sha256("\x1f".join(parts).encode()).digest()[:10])
    digest[0] = 0x70 | (digest[0] & 0x0F)
    digest[2] = 0x80 | (digest[2] & 0x3F)
    milliseconds = min(max(instant_us // 1_000, 0), (1 << 48) - 1)
    return f"evt_{milliseconds:012x}{digest.hex()}"
