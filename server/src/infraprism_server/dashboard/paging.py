"""Pages of a list, by offset: what is shown, and where the neighbours are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from infraprism_server.dashboard.render import link
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.pagination import MAX_OFFSET

PAGE_ROWS = 50


class Pages(NamedTuple):
    """What `parts.pager` shows. `first` and `last` count from one; addresses are None at an end."""

    first: int
    last: int
    total: int
    previous: str | None
    next: str | None


def offset_of(text: str) -> int:
    """The offset in an address. InvalidRequest unless it is a number in the bounds."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 7 or int(text) > MAX_OFFSET:
        raise InvalidRequest(f"'offset' is a number from 0 to {MAX_OFFSET}", "offset")
    return int(text)


def pages_of(path: str, query: Mapping[str, object], offset: int, shown: int, total: int) -> Pages:
    """`query` is the rest of the address, which the neighbours keep."""
    before = max(0, offset - PAGE_ROWS)
    return Pages(
        first=offset + 1 if shown else 0,
        last=offset + shown,
        total=total,
        previous=link(path, **{**query, "offset": before or None}) if offset else None,
        next=link(path, **{**query, "offset": offset + shown}) if offset + shown < total else None,
    )
