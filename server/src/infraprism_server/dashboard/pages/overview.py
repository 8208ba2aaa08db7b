"""The start page: what is spent now, against before, where it goes and where it leads."""

from __future__ import annotations

from typing import Any, NamedTuple

from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.dashboard.forecast import MOST_DAYS, Forecast, forecast_month
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.ranges import span_in
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.render import link
from infraprism_server.dashboard.series import (
    average_latency,
    chart_of,
    legend_of,
    totals_by_group,
)
from infraprism_server.dashboard.span import (
    PRESETS,
    Span,
    midnight_us,
    month_around,
    usage_question,
)

TOP_SERIES = 7
TOP_ENTITIES = 8
MOST_COMPARED = 1_000
STACKS = {"model": "Model", "provider": "Provider", "entity_type": "Entity type"}


class EntityLine(NamedTuple):
    """One of the dearest entities. `before_pico` is None where it is not known."""

    type: str
    id: str
    name: str | None
    cost_pico: int
    before_pico: int | None
    spark: list[int]


@page("/")
def overview(visit: Visit) -> Page | Go:
    account = visit.account.number
    if visit.dashboard.events.find_extent(account) is None:
        return first_run(visit)
    if visit.is_partial and visit.query("waiting"):
        return Go("/")  # the first event has arrived: the page comes alive
    span = span_in(visit)
    stack = visit.query("by") or "model"
    usage = visit.dashboard.usage
    answer = usage.sum(
        account, span.question(group_by=[stack], interval=span.interval(), top=TOP_SERIES), 0
    )
    now = answer.page.totals
    before = usage.sum(account, span.question_before(), 0).page.totals

    def drill(group: tuple[Any, ...]) -> str | None:
        if group[0] is None:
            return None
        chosen: dict[str, object] = {stack: group[0]}
        if stack.startswith("tags["):
            chosen = {"tag": f"{stack[5:-1]}={group[0]}"}
        return link("/explorer", **span.address, **chosen, group="entity_id")

    return Page(
        template="overview.html",
        context={
            "span": span,
            "presets": PRESETS,
            "now": now,
            "before": before,
            "latency": average_latency(now),
            "stack": stack,
            "stacks": STACKS,
            "tag_keys": suggestions(visit).tag_keys,
            "tag_key": stack[5:-1] if stack.startswith("tags[") else "",
            "chart": chart_of(
                answer,
                "cost",
                span.interval(),
                span.zone,
                f"Spend by {STACKS.get(stack, stack)}, {span.title}",
                series_href=drill,
            ),
            "legend": legend_of(answer, drill),
            "entities": _entities(visit, span),
            "month": _month(visit),
        },
    )


def _entities(visit: Visit, span: Span) -> list[EntityLine]:
    account, usage = visit.account.number, visit.dashboard.usage
    by = ["entity_type", "entity_id"]
    found = usage.sum(
        account, span.question(group_by=by, interval=span.interval(), top=TOP_ENTITIES), 0
    )
    former = usage.sum(account, span.question_before(group_by=by, limit=MOST_COMPARED), 0)
    before = {row.group: row.sums.cost_pico for row in former.page.rows}
    complete = former.page.total <= MOST_COMPARED
    sparks = {
        (str(kind), str(name)): values
        for (kind, name), values in totals_by_group(found).items()
        if kind is not None
    }
    names = visit.dashboard.entities.names(account, sparks)
    lines = [
        EntityLine(
            type=kind,
            id=name,
            name=names.get((kind, name)),
            cost_pico=sum(values),
            before_pico=before.get((kind, name), 0 if complete else None),
            spark=values,
        )
        for (kind, name), values in sparks.items()
    ]
    return sorted(lines, key=lambda line: -line.cost_pico)


def _month(visit: Visit) -> dict[str, Any]:
    """This month so far and its forecast."""
    zone, now_us = visit.zone, visit.now_us
    month_us, next_month_us = month_around(zone, now_us)
    today_us = midnight_us(zone, now_us)
    first_us = min(month_us, midnight_us(zone, now_us, MOST_DAYS))
    answer = visit.dashboard.usage.sum(
        visit.account.number, usage_question(first_us, now_us, zone, interval="day"), 0
    )
    days = {answer.bounds_us[row.bucket]: row.sums.cost_pico for row in answer.page.rows}
    spent = sum(pico for start_us, pico in days.items() if start_us >= month_us)
    full_days = [pico for start_us, pico in sorted(days.items()) if start_us < today_us]
    days_left = (next_month_us - now_us) / MICROSECONDS_PER_DAY
    found: Forecast | None = forecast_month(spent, full_days, days_left)
    return {"spent_pico": spent, "forecast": found, "days_left": int(days_left)}


def first_run(visit: Visit, key: str | None = None) -> Page:
    """How the first event gets here; the page asks every two seconds whether it came."""
    return Page(template="first_run.html", context={"base_url": visit.base_url, "key": key})


@action("/first-key")
def make_first_key(visit: Visit) -> Page:
    """A key for the examples, shown this once."""
    made = visit.dashboard.api_keys.create(
        visit.account.number, CreateKey("first steps", scopes=("ingest",))
    )
    return first_run(visit, made.key)


ROUTES = [overview, make_first_key]
