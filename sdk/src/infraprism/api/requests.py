"""A request of the API as a value: method, route, what goes with it, and what its answer means."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from infraprism.api.decoding import decode
from infraprism.api.types import Page, Pagination

T = TypeVar("T")

_PLACE = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request. `read` makes the typed result of the answer's JSON."""

    method: str
    route: str
    """The path as the API's document names it: `/events/{event_id}`."""
    read: Callable[[Any], T]
    values: tuple[str, ...] = ()
    """What stands in the braces, in their order."""
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    repeatable: bool = True
    """Whether sending it twice does what sending it once does; a POST by its idempotency key."""

    @property
    def path(self) -> str:
        """The path; ids may hold slashes and anything else that is printable."""
        values = iter(self.values)
        return _PLACE.sub(lambda _: _segment(next(values)), self.route)

    @property
    def content(self) -> bytes | None:
        """The body as JSON: a Decimal as the number it is, a time as ISO 8601."""
        if self.body is None:
            return None
        mark = uuid.uuid4().hex
        text = json.dumps(self.body, default=lambda value: _plain(value, mark))
        return re.sub(rf'"{mark}([^"]+)"', r"\1", text).encode()


def one(
    method: str,
    route: str,
    kind: type[T],
    *values: str,
    query: Mapping[str, Any] | None = None,
    body: Mapping[str, Any] | None = None,
    repeatable: bool = True,
) -> Request[T]:
    """A request that is answered with one object."""
    return Request(
        method,
        route,
        lambda data: decode(kind, data),
        values,
        _query(query or {}),
        body,
        repeatable,
    )


def listed(
    route: str, kind: type[T], *values: str, query: Mapping[str, Any] | None = None
) -> Request[Page[T]]:
    """A request that is answered with a page of objects."""

    def read(data: Any) -> Page[T]:  # noqa: ANN401 - JSON
        items = [decode(kind, item) for item in data["data"]]
        return Page(items, decode(Pagination, data["pagination"]))

    return Request("GET", route, read, values, _query(query or {}))


def deletion(route: str, *values: str) -> Request[None]:
    """A request that removes an object and is answered with nothing to read."""
    return Request("DELETE", route, lambda _: None, values)


def following(request: Request[Page[T]], page: Page[T]) -> Request[Page[T]] | None:
    """The request for the next page; None after the last one."""
    cursor = page.pagination.next_cursor
    if not page.pagination.has_more or cursor is None:
        return None
    kept = tuple(pair for pair in request.query if pair[0] not in {"cursor", "offset"})
    return replace(request, query=(*kept, ("cursor", cursor)))


def _query(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if value is None or (name == "offset" and not value):
            continue
        if name == "tags":
            pairs += [(f"tags[{key}]", str(text)) for key, text in value.items()]
        elif name == "group_by":
            pairs += [(name, str(text)) for text in value]
        else:
            pairs.append((name, _text(value)))
    return tuple(pairs)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def _plain(value: object, mark: str) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a number that JSON has")
        return f"{mark}{value:f}"
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} can not be sent")


def _segment(text: str) -> str:
    if not text:
        raise ValueError("an id can not be empty")
    return quote(text, safe="")
