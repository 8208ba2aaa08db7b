"""Every request of the API as a value: method, path, query, body, and what its answer means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

from infraprism.api.decoding import decode
from infraprism.api.types import (
    Account,
    ApiKey,
    CreatedApiKey,
    Entity,
    Event,
    Page,
    Pagination,
    Price,
    Usage,
)

T = TypeVar("T")
Moment = str | date | datetime


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One request. `read` makes the typed result of the answer's JSON."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] | None = None


class Range(TypedDict, total=False):
    """A span of time: dates through their end, instants exclusive, in `timezone`."""

    start_date: Moment
    end_date: Moment
    timezone: str


class Filters(Range, total=False):
    """Which events: all given ones hold at once. `tags` are those an event has to have."""

    entity_type: str
    entity_id: str
    model: str
    provider: str
    session_id: str
    success: bool
    tags: Mapping[str, str]


class EntityFilters(Range, total=False):
    """Which entities, and their order: `-` before a name is descending."""

    type: str
    sort: str


class UsageOptions(Filters, total=False):
    """How sums are grouped and cut: `top` folds the rest into one row."""

    group_by: Sequence[str]
    interval: Literal["hour", "day", "week", "month", "none"]
    top: int


def me() -> Request[Account]:
    return Request("GET", "/me", lambda data: decode(Account, data))


def list_events(filters: Mapping[str, Any], limit: int, offset: int = 0) -> Request[Page[Event]]:
    return Request("GET", "/events", _page(Event), _query({**filters, **_at(limit, offset)}))


def get_event(event_id: str) -> Request[Event]:
    return Request("GET", f"/events/{_segment(event_id)}", lambda data: decode(Event, data))


def list_entities(filters: Mapping[str, Any], limit: int, offset: int = 0) -> Request[Page[Entity]]:
    return Request("GET", "/entities", _page(Entity), _query({**filters, **_at(limit, offset)}))


def get_entity(entity_type: str, entity_id: str) -> Request[Entity]:
    path = f"/entities/{_segment(entity_type)}/{_segment(entity_id)}"
    return Request("GET", path, lambda data: decode(Entity, data))


def usage(options: Mapping[str, Any], limit: int) -> Request[Usage]:
    query = _query({**options, "limit": limit})
    return Request("GET", "/usage", lambda data: decode(Usage, data), query)


def list_api_keys(limit: int, offset: int = 0) -> Request[Page[ApiKey]]:
    return Request("GET", "/api-keys", _page(ApiKey), _query(_at(limit, offset)))


def create_api_key(
    name: str, scopes: Sequence[str], expires_at: datetime | None
) -> Request[CreatedApiKey]:
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    if expires_at is not None:
        body["expires_at"] = expires_at.isoformat()
    return Request("POST", "/api-keys", lambda data: decode(CreatedApiKey, data), body=body)


def delete_api_key(key_id: str) -> Request[None]:
    return Request("DELETE", f"/api-keys/{_segment(key_id)}", lambda _: None)


def look_up_price(
    provider: str, model: str, service_tier: str, at: datetime | None
) -> Request[Price]:
    query = _query(
        {"provider": provider, "model": model, "service_tier": service_tier, "at": at or None}
    )
    return Request("GET", "/prices/lookup", lambda data: decode(Price, data), query)


def following(request: Request[Page[T]], page: Page[T]) -> Request[Page[T]] | None:
    """The request for the next page; None after the last one."""
    cursor = page.pagination.next_cursor
    if not page.pagination.has_more or cursor is None:
        return None
    kept = [(name, value) for name, value in request.query if name not in {"cursor", "offset"}]
    return replace(request, query=[*kept, ("cursor", cursor)])


def _page(kind: type[T]) -> Callable[[Any], Page[T]]:
    def read(data: Any) -> Page[T]:  # noqa: ANN401 - JSON
        items = [decode(kind, item) for item in data["data"]]
        return Page(items, decode(Pagination, data["pagination"]))

    return read


def _at(limit: int, offset: int) -> dict[str, int]:
    return {"limit": limit, **({"offset": offset} if offset else {})}


def _query(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if value is None:
            continue
        if name == "tags":
            pairs += [(f"tags[{key}]", str(one)) for key, one in value.items()]
        elif name == "group_by":
            pairs += [(name, str(one)) for one in value]
        else:
            pairs.append((name, _text(value)))
    return pairs


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def _segment(text: str) -> str:
    """One segment of a path: ids may hold slashes and anything else that is printable."""
    if not text:
        raise ValueError("an id can not be empty")
    return quote(text, safe="")
