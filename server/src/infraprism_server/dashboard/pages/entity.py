"""One entity: what it costs and why, what it brings, its sessions, alerts and calls."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from infraprism_server.anomalies.schemas import ListAnomaliesQuery
from infraprism_server.dashboard.formats import change
from infraprism_server.dashboard.forms import number_or_null
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.limits import lines_of_standings
from infraprism_server.dashboard.pages.ranges import before_of, span_in
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.render import link, path_segment
from infraprism_server.dashboard.series import (
    SHOWN,
    Group,
    average_latency,
    chart_of,
    parts_of,
    summed,
)
from infraprism_server.dashboard.series import Part as Series
from infraprism_server.dashboard.span import PRESETS, Span
from infraprism_server.entities.schemas import PatchEntity
from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.sums import Sums
from infraprism_server.usage.service import UsageAnswer

TOP_SERIES = 8
MOST_COMPARED = 200
TOP_SESSIONS = 5
NEWEST_EVENTS = 10
MOST_ALERTS = 5
DEFAULT_SPAN = "30d"


class PartLine(NamedTuple):
    """A part of the entity's spend beside the span before; `before_pico` None: not known."""

    name: str
    swatch: str
    sums: Sums
    before_pico: int | None
    href: str | None


class Mover(NamedTuple):
    """What changed the spend most, in the direction in which all of it went."""

    name: str
    more_pico: int


@page("/entities/{entity_type:str}/{entity_id:str}")
def entity(visit: Visit) -> Page:
    if visit.query("part") == "sessions":
        return _sessions_part(visit)
    return _entity_page(visit)


@action("/entities/{entity_type:str}/{entity_id:str}")
def change_entity(visit: Visit) -> Page | Go:
    """Name and revenue; empty ones are cleared."""
    kind, name_id = visit.path("entity_type"), visit.path("entity_id")
    try:
        patch = PatchEntity(
            name=visit.field("name") or None,
            revenue_usd_monthly=_revenue(visit.field("revenue")),
        )
        visit.dashboard.entities.patch(visit.account.number, kind, name_id, patch)
    except InvalidRequest as error:
        return _entity_page(visit, problem=error.message, status=400)
    return Go(f"/entities/{path_segment(kind)}/{path_segment(name_id)}", "saved")


def _sessions_part(visit: Visit) -> Page:
    """The dearest sessions, which are read from the calls themselves: the page asks for them after
    it is shown."""
    span = span_in(visit, default=DEFAULT_SPAN)
    question = span.question(
        entity_type=visit.path("entity_type"),
        entity_id=visit.path("entity_id"),
        group_by=["session_id"],
        top=TOP_SESSIONS + 1,
    )
    answer = visit.dashboard.usage.sum(visit.account.number, question, 0, SHOWN)
    return Page(template="entity_sessions.html", context={"sessions": _sessions(answer)})


def _entity_page(visit: Visit, problem: str | None = None, status: int = 200) -> Page:
    kind, name_id = visit.path("entity_type"), visit.path("entity_id")
    account, usage = visit.account.number, visit.dashboard.usage
    span = span_in(visit, default=DEFAULT_SPAN)
    only: dict[str, Any] = {"entity_type": kind, "entity_id": name_id}
    by = visit.query("by") or "model"
    interval = span.interval()
    # Asked for at once.
    wanted_detail = ask(visit.dashboard.entities.summary, account, kind, name_id)
    wanted_before = ask(before_of, visit, span, **only, group_by=[by], limit=MOST_COMPARED)
    wanted_known = ask(suggestions, visit)
    wanted_events = ask(
        visit.dashboard.events.page,
        EventFilter(account=account, entity_type=kind, entity_id=name_id),
        NEWEST_EVENTS,
        0,
        None,
    )
    detail = wanted_detail.result()  # first: who is not known is an answer by itself
    charted = summed(usage, account, span.question, **only, group_by=[by], interval=interval)
    before = wanted_before.result()
    parts = parts_of(charted, most=TOP_SERIES)

    def drill(group: Group) -> str | None:
        return _explored(span, only, by, group)

    lines = _lines(parts, before, drill)
    path = f"/entities/{path_segment(kind)}/{path_segment(name_id)}"
    return Page(
        template="entity.html",
        status=status,
        context={
            "entity": detail,
            "path": path,
            "problem": problem,
            "typed": _typed(visit, problem, detail.name, detail.revenue_usd_monthly),
            "span": span,
            "presets": PRESETS,
            "now": charted.page.totals,
            "before": before.page.totals,
            "latency": average_latency(charted.page.totals),
            "by": by,
            "by_name": by[5:-1] if by.startswith("tags[") else by.replace("_", " "),
            "tag_keys": wanted_known.result().tag_keys,
            "chart": chart_of(
                charted,
                parts,
                "cost",
                interval,
                f"Spend of {detail.name or name_id}, {span.title}",
                series_href=drill,
            ),
            "lines": lines,
            "movers": _movers(lines, charted.page.totals.cost_pico, before.page.totals.cost_pico),
            "moved": change(charted.page.totals.cost_pico, before.page.totals.cost_pico),
            "explorer": link("/explorer", **span.address_elsewhere, **only, group=by),
            "here": link(path, **span.address, by=by if by != "model" else ""),
            "alerts": visit.dashboard.anomalies.page(
                account, ListAnomaliesQuery(entity_type=kind, entity_id=name_id, limit=MOST_ALERTS)
            ),
            "limits": lines_of_standings(
                visit, visit.dashboard.limits.standings(account, kind, name_id)
            ),
            "events": wanted_events.result().events,
            "events_total": wanted_events.result().total,
        },
    )


def _lines(parts: list[Series], before: UsageAnswer, drill: Any) -> list[PartLine]:  # noqa: ANN401
    former = {row.group: row.sums.cost_pico for row in before.page.rows}
    complete = before.page.total <= MOST_COMPARED
    lines = []
    named = 0
    for part in parts:
        if part.group is None:
            # What is not named one by one was before all that is not named now.
            was = before.page.totals.cost_pico - named
        else:
            was = former.get(part.group, 0)
            named += was
        known = complete or part.group in former
        href = None if part.group is None else drill(part.group)
        lines.append(PartLine(part.name, part.swatch, part.sums, was if known else None, href))
    return lines


def _movers(lines: list[PartLine], now_pico: int, before_pico: int) -> list[Mover]:
    """The two parts that moved the spend most the way it went; none where nothing was before."""
    if not before_pico or now_pico == before_pico:
        return []
    sign = 1 if now_pico > before_pico else -1
    moved = [
        Mover(line.name, line.sums.cost_pico - line.before_pico)
        for line in lines
        if line.before_pico is not None
    ]
    moved = [each for each in moved if each.more_pico * sign > 0]
    return sorted(moved, key=lambda each: -each.more_pico * sign)[:2]


def _sessions(answer: UsageAnswer) -> list[tuple[str, Sums]]:
    return [
        (str(row.group[0]), row.sums)
        for row in answer.page.rows
        if row.group and row.group[0] is not None
    ][:TOP_SESSIONS]


def _typed(visit: Visit, problem: str | None, name: str | None, revenue: Any) -> dict[str, str]:  # noqa: ANN401
    if problem is not None:
        return {"name": visit.field("name"), "revenue": visit.field("revenue")}
    return {"name": name or "", "revenue": revenue.text() if revenue else ""}


def _explored(span: Span, only: dict[str, Any], by: str, group: Group) -> str | None:
    if not group or group[0] is None:
        return None
    address: dict[str, Any] = {**span.address_elsewhere, **only}
    if by.startswith("tags["):
        return link("/explorer", **address, tag=f"{by[5:-1]}={group[0]}", group="model")
    return link("/explorer", **{**address, by: group[0], "group": "session_id"})


def _revenue(text: str) -> msgspec.Raw:
    """Dollars as JSON, or null. InvalidRequest for what is no number."""
    typed = number_or_null(text)
    if isinstance(typed, str):
        raise InvalidRequest("Revenue is an amount of dollars, such as 499 or 49.90")
    return typed


ROUTES = [entity, change_entity]
