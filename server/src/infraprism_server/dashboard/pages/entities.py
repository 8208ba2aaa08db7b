"""Entities: who costs what, as a list that can be searched and sorted, and one by one."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from infraprism_server.clock import iso_utc
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.ranges import span_in
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.render import link, path_segment
from infraprism_server.dashboard.series import Group, average_latency, chart_of, group_name
from infraprism_server.dashboard.span import PRESETS, Span
from infraprism_server.entities.schemas import EntityOut, ListEntitiesQuery, PatchEntity
from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.contract import EventFilter, Sums
from infraprism_server.http.wire import invalid_request_from
from infraprism_server.money import pico_from_decimal

SORTS = {
    "-total_cost": "Spend",
    "-total_events": "Calls",
    "-last_seen": "Last seen",
    "-first_seen": "First seen",
    "entity_id": "Id",
}
MOST_TYPES = 20
MOST_LOSING = 10
TOP_SERIES = 7
TOP_SESSIONS = 5
NEWEST_EVENTS = 10


class Part(NamedTuple):
    """A part of an entity's spend."""

    name: str
    sums: Sums
    href: str | None


@page("/entities")
def entities(visit: Visit) -> Page:
    span = span_in(visit, default="30d")
    offset = offset_of(visit.query("offset"))
    kind, search = visit.query("type"), visit.query("q").strip()
    sort = visit.query("sort") or "-total_cost"
    query = _list_query(visit, span, sort, kind)
    found, total = visit.dashboard.entities.page(
        visit.account.number, query, offset, search=search or None
    )
    address = {"type": kind, "q": search, "sort": _unless_default(sort), **span.address}
    return Page(
        template="entities.html",
        context={
            "span": span,
            "presets": PRESETS,
            "found": found,
            "largest": max((entity.total_cost.pico for entity in found), default=0),
            "kind": kind,
            "kinds": _kinds(visit, span),
            "search": search,
            "sort": sort,
            "sorts": SORTS,
            "address": address,
            "losing": [] if search or offset else _losing(visit, span, kind),
            "pages": pages_of("/entities", address, offset, len(found), total),
        },
    )


@page("/entities/{entity_type:str}/{entity_id:str}")
def entity(visit: Visit) -> Page:
    return _entity_page(visit)


@action("/entities/{entity_type:str}/{entity_id:str}")
def change_entity(visit: Visit) -> Page | Go:
    """Name and revenue; empty ones are cleared."""
    kind, name_id = visit.path("entity_type"), visit.path("entity_id")
    try:
        patch = PatchEntity(
            name=visit.field("name") or None,
            revenue_usd_monthly=msgspec.Raw(_number(visit.field("revenue")).encode()),
        )
        visit.dashboard.entities.patch(visit.account.number, kind, name_id, patch)
    except InvalidRequest as error:
        return _entity_page(visit, problem=error.message, status=400)
    return Go(f"/entities/{path_segment(kind)}/{path_segment(name_id)}", "saved")


def _entity_page(visit: Visit, problem: str | None = None, status: int = 200) -> Page:
    kind, name_id = visit.path("entity_type"), visit.path("entity_id")
    account, usage = visit.account.number, visit.dashboard.usage
    detail = visit.dashboard.entities.get(account, kind, name_id)
    span = span_in(visit, default="30d")
    only: dict[str, Any] = {"entity_type": kind, "entity_id": name_id}
    by = visit.query("by") or "model"
    charted = usage.sum(
        account,
        span.question(**only, group_by=[by], interval=span.interval(), top=TOP_SERIES),
        0,
    )
    parts = usage.sum(account, span.question(**only, group_by=[by], limit=100), 0)
    sessions = usage.sum(account, span.question(**only, group_by=["session_id"], limit=100), 0)
    before = usage.sum(account, span.question_before(**only), 0).page.totals

    def drill(group: Group) -> str | None:
        return _explored(span, only, by, group)

    events = visit.dashboard.events.page(
        EventFilter(account=account, entity_type=kind, entity_id=name_id), NEWEST_EVENTS, 0, None
    )
    path = f"/entities/{path_segment(kind)}/{path_segment(name_id)}"
    return Page(
        template="entity.html",
        status=status,
        context={
            "entity": detail,
            "path": path,
            "problem": problem,
            "typed": {"name": visit.field("name"), "revenue": visit.field("revenue")}
            if problem
            else {
                "name": detail.name or "",
                "revenue": detail.revenue_usd_monthly.text() if detail.revenue_usd_monthly else "",
            },
            "span": span,
            "presets": PRESETS,
            "now": charted.page.totals,
            "before": before,
            "latency": average_latency(charted.page.totals),
            "by": by,
            "tag_keys": suggestions(visit).tag_keys,
            "chart": chart_of(
                charted,
                "cost",
                span.interval(),
                span.zone,
                f"Spend of {detail.name or name_id}, {span.title}",
                series_href=drill,
            ),
            "parts_of_spend": [
                Part(group_name(row.group), row.sums, drill(row.group or ()))
                for row in parts.page.rows
            ],
            "sessions": [
                (str(row.group[0]), row.sums)
                for row in sessions.page.rows
                if row.group and row.group[0] is not None
            ][:TOP_SESSIONS],
            "events": events.events,
            "events_total": events.total,
        },
    )


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
    question = span.question(group_by=["entity_type"], limit=MOST_TYPES)
    rows = visit.dashboard.usage.sum(visit.account.number, question, 0).page.rows
    return [str(row.group[0]) for row in rows if row.group and row.group[0] is not None]


def _losing(visit: Visit, span: Span, kind: str) -> list[EntityOut]:
    """Those that cost more than they bring, among the dearest thousand of the span."""
    query = msgspec.structs.replace(_list_query(visit, span, "-total_cost", kind), limit=1_000)
    found, _ = visit.dashboard.entities.page(visit.account.number, query, 0)
    losing = [each for each in found if each.margin_usd is not None and each.margin_usd.pico < 0]
    return sorted(losing, key=lambda each: each.margin_usd.pico if each.margin_usd else 0)[
        :MOST_LOSING
    ]


def _explored(span: Span, only: dict[str, Any], by: str, group: Group) -> str | None:
    if not group or group[0] is None:
        return None
    if by.startswith("tags["):
        return link(
            "/explorer", **span.address, **only, tag=f"{by[5:-1]}={group[0]}", group="model"
        )
    return link("/explorer", **{**_ranged(span), **only, by: group[0], "group": "session_id"})


def _ranged(span: Span) -> dict[str, str]:
    """The span for a page with another default."""
    return {"range": span.preset} if span.preset else span.address


def _unless_default(sort: str) -> str:
    return "" if sort == "-total_cost" else sort


def _number(text: str) -> str:
    """A number for JSON, or null. InvalidRequest for what is none."""
    cleaned = text.replace(",", "").removeprefix("$").strip()
    if not cleaned:
        return "null"
    try:
        return format(Decimal(pico_from_decimal(Decimal(cleaned))).scaleb(-12), "f")
    except (InvalidOperation, ValueError):
        raise InvalidRequest("Revenue is an amount of dollars, such as 499 or 49.90") from None


ROUTES = [entities, entity, change_entity]
