"""Calls one by one: the list with its filters and live tail, and what one call cost and why."""

from __future__ import annotations

from typing import Any

import msgspec

from infraprism_server.dashboard.frame import Page, Visit, page
from infraprism_server.dashboard.pages.suggestions import suggestions, tags_of
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.reading import ask
from infraprism_server.errors import InvalidRequest
from infraprism_server.events.schemas import FilterQuery
from infraprism_server.http.wire import invalid_request_from

FIELDS = {
    "model": "Model",
    "provider": "Provider",
    "entity_type": "Entity type",
    "entity_id": "Entity",
    "session_id": "Session",
}
UNITS = {
    "input": "input tokens",
    "output": "output tokens",
    "cache_read": "tokens read from cache",
    "cache_write": "tokens written to cache",
    "cache_write_1h": "tokens written to cache for an hour",
    "call": "call",
}


@page("/events")
def events(visit: Visit) -> Page:
    offset = offset_of(visit.query("offset"))
    filters = {
        name: visit.query(name)
        for name in (*FIELDS, "success", "start_date", "end_date")
        if visit.query(name)
    }
    tags = list(dict.fromkeys(visit.queries("tag")))
    where = visit.dashboard.events.where(visit.account.number, _filter_query(filters, tags))
    wanted_known = ask(suggestions, visit)
    found = visit.dashboard.events.page(where, PAGE_ROWS, offset, None)
    live = visit.query("live") == "1"
    address = {**filters, "tag": tags, "live": "1" if live else ""}
    return Page(
        template="events.html",
        context={
            "found": found.events,
            "fields": FIELDS,
            "filters": filters,
            "tags": tags,
            "live": live and offset == 0,
            "address": address,
            "known": wanted_known.result(),
            "names": visit.dashboard.entities.names(
                visit.account.number,
                {
                    (event.entity_type, event.entity_id)
                    for event in found.events
                    if event.entity_type is not None and event.entity_id is not None
                },
            ),
            "pages": pages_of("/events", address, offset, len(found.events), found.total),
        },
    )


@page("/events/{event_id:str}")
def event(visit: Visit) -> Page:
    account = visit.account.number
    found = visit.dashboard.events.get(account, visit.path("event_id"))
    who = [(found.entity_type, found.entity_id)] if found.entity_type and found.entity_id else []
    return Page(
        template="event.html",
        context={
            "event": found,
            "name": next(iter(visit.dashboard.entities.names(account, who).values()), None),
            "tags": tags_of(found),
            "cost": visit.dashboard.pricing.explain(found, account),
            "units": UNITS,
        },
    )


def _filter_query(filters: dict[str, str], tags: list[str]) -> FilterQuery:
    """InvalidRequest naming what is wrong in the address."""
    given: dict[str, Any] = dict(filters)
    for text in tags:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidRequest("A tag filter is written key=value", "tag")
        given.setdefault("tags", {})[key] = value
    try:
        return msgspec.convert(given, FilterQuery, strict=False)
    except msgspec.ValidationError as error:
        raise invalid_request_from(error) from None


ROUTES = [events, event]
