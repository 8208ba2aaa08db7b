"""Pages: limit and offset with an exact total, and cursors that continue exactly there."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, TypeVar

import msgspec

from infraprism_server.errors import InvalidRequest

T = TypeVar("T")

MAX_LIMIT = 1_000
MAX_OFFSET = 1_000_000

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT, description="Most results to answer with.")]
Offset = Annotated[
    int, msgspec.Meta(ge=0, le=MAX_OFFSET, description="Results to pass over first.")
]
Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=512,
        description="`next_cursor` of the page before: continues exactly there while data arrives. "
        "Not together with `offset`.",
    ),
]


class Pagination(msgspec.Struct, frozen=True):
    """The `pagination` object of every list."""

    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


def page_of(total: int, limit: int, offset: int, count: int) -> Pagination:
    """Pagination of a list that is paged by offset alone; its cursor is the next offset."""
    more = offset + count < total
    cursor = encode_cursor(offset + count) if more and count else None
    return Pagination(total, limit, offset, more, cursor)


def encode_cursor(position: object) -> str:
    """An opaque text for a place in a list."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def decode_cursor(cursor: str, kind: type[T]) -> T:
    """What `encode_cursor` was given. InvalidRequest when it is not one of ours."""
    try:
        raw = base64.b64decode(
            cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        )
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, binascii.Error, UnicodeEncodeError, ValueError):
        raise InvalidRequest(
            "'cursor' is not a next_cursor of this list; leave it out to start anew", "cursor"
        ) from None


def offset_from(cursor: str | None, offset: int) -> int:
    """The offset a list starts at, from either parameter."""
    if cursor is None:
        return offset
    if offset:
        raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
    position = decode_cursor(cursor, int)
    if not 0 <= position <= MAX_OFFSET + MAX_LIMIT:
        raise InvalidRequest("'cursor' is not a next_cursor of this list", "cursor")
    return position
