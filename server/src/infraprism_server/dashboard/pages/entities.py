"""Entities: who costs what, as a list that can be searched and sorted."""

from __future__ import annotations

import msgspec

from infraprism_server.clock import MICROSECONDS_PER_MINUTE, iso_utc
from infraprism_server.dashboard.frame import Page, Visit, page
from infraprism_server.dashboard.pages.ranges import span_in
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.render import link
from infraprism_server.dashboard.span import PRESETS, Span
from infraprism_server.entities.schemas import ListEntitiesQuery
from infraprism_server.event_store.sums import COST
from infraprism_server.http.wire import invalid_request_from

SORTS = {
    "entity_id": ("Who", ""),
    "-total_cost": ("Spend", "right"),
    "-total_events": ("Calls", "right"),
    "-first_seen": ("First seen", "right"),
    "-last_seen": ("Last seen", "right"),
}
"""Columns that can be sorted by, as they are sorted at first, with title and class."""
DEFAULT_SORT = "-total_cost"
MOST_TYPES = 20
MOST_LOSING = 10


@page("/entities")
def entities(visit: Visit) -> Page:
    span = span_in(visit, default="30d")
    offset = offset_of(visit.query("offset"))
    kind, search = visit.query("type"), visit.query("q").strip()
    sort = visit.query("sort") or DEFAULT_SORT
    account, service = visit.account.number, visit.dashboard.entities
    query = _list_query(visit, span, sort, kind)
    first_page = not search and not offset and not visit.is_partial
    wanted_losing = ask(service.losing, account, query, MOST_LOSING) if first_page else None
    wanted_kinds = ask(_kinds, visit, span)
    found, total = service.page(account, query, offset, search=search or None)
    address = {"type": kind, "q": search, "sort": _unless_default(sort), **span.address}
    return Page(
        template="entities.html",
        context={
            "span": span,
            "presets": PRESETS,
            "found": found,
            "largest": max((entity.total_cost.pico for entity in found), default=0),
            "kind": kind,
            "kinds": list(dict.fromkeys([*wanted_kinds.result(), *([kind] if kind else [])])),
            "search": search,
            "columns": {key: _column(key, sort, address) for key in SORTS},
            "address": address,
            "losing": [] if wanted_losing is None else wanted_losing.result(),
            "pages": pages_of("/entities", address, offset, len(found), total),
        },
    )


def _column(key: str, sort: str, address: dict[str, str]) -> dict[str, str]:
    """A head of the table: a click sorts by it, another the other way round."""
    field = key.removeprefix("-")
    chosen = sort.removeprefix("-") == field
    flipped = field if sort.startswith("-") else f"-{field}"
    wanted = flipped if chosen else key
    title, css = SORTS[key]
    return {
        "title": title,
        "css": css,
        "href": link("/entities", **{**address, "sort": _unless_default(wanted)}),
        "sorted": ("descending" if sort.startswith("-") else "ascending") if chosen else "",
    }


def _list_query(visit: Visit, span: Span, sort: str, kind: str) -> ListEntitiesQuery:
    try:
        return msgspec.convert(
            {
                "start_date": iso_utc(span.start_us),
                "end_date": iso_utc(span.end_us),
                "timezone": visit.zone.key,
                "sort": sort,
                "limit": PAGE_ROWS,
                **({"type": kind} if kind else {}),
            },
            ListEntitiesQuery,
        )
    except msgspec.ValidationError as error:
        raise invalid_request_from(error) from None


def _kinds(visit: Visit, span: Span) -> list[str]:
    """The types that calls in the span had, dearest first."""
    key = (visit.account.number, "kinds", tuple(span.address.items()), visit.zone.key)
    return visit.dashboard.recent.get(
        key, lambda: _asked_kinds(visit, span), renewed_within_us=MICROSECONDS_PER_MINUTE
    )


def _asked_kinds(visit: Visit, span: Span) -> list[str]:
    question = span.question(group_by=["entity_type"], limit=MOST_TYPES)
    rows = visit.dashboard.usage.sum(visit.account.number, question, 0, COST).page.rows
    return [str(row.group[0]) for row in rows if row.group and row.group[0] is not None]


def _unless_default(sort: str) -> str:
    return "" if sort == DEFAULT_SORT else sort


ROUTES = [entities]
