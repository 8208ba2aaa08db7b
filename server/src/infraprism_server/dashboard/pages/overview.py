"""The start page: what is spent now, against before, where it goes and where it leads."""

from __future__ import annotations

from typing import Any, NamedTuple

from infraprism_server.anomalies.schemas import ListAnomaliesQuery
from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.clock import MICROSECONDS_PER_DAY, iso_utc
from infraprism_server.dashboard.forecast import MOST_DAYS, Forecast, forecast_month
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.limits import lines_of_standings
from infraprism_server.dashboard.pages.ranges import before_of, span_in
from infraprism_server.dashboard.pages.suggestions import Suggestions, suggestions
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.render import link
from infraprism_server.dashboard.series import Group, chart_of, parts_of, summed
from infraprism_server.dashboard.span import (
    PRESETS,
    Span,
    midnight_us,
    month_around,
    usage_question,
)
from infraprism_server.event_store.sums import COST, Sums
from infraprism_server.money import divide_half_even
from infraprism_server.sdk_reports.health import MAX_DAYS
from infraprism_server.usage.service import UsageAnswer

TOP_SERIES = 7
TOP_ENTITIES = 8
MOST_COMPARED = 100
MOST_ALERTS = 5
RANKED_ALERTS = 50
STACKS = {"model": "Model", "provider": "Provider", "entity_type": "Entity type"}


class Unknown(NamedTuple):
    """The error bar on spend: calls that are not in it."""

    unpriced: int
    dropped: int
    missing: int
    """The two together."""
    calls: int
    """All calls, those that were lost included."""
    guess_pico: int | None
    """What they cost if they cost what others did; None where no call has a price."""


class EntityLine(NamedTuple):
    """One of the dearest entities."""

    type: str
    id: str
    name: str | None
    cost_pico: int
    before_pico: int
    spark: list[int]


@page("/")
def overview(visit: Visit) -> Page | Go:
    if visit.dashboard.events.find_extent(visit.account.number) is None:
        return first_run(visit)
    if visit.is_partial and visit.query("waiting"):
        return Go("/")  # the first event has arrived: the page comes alive
    span = span_in(visit)
    stack = visit.query("by") or "model"
    kind = visit.query("type")
    account, usage = visit.account.number, visit.dashboard.usage
    # Asked for at once; the dearest question decides how long the page takes.
    by_entity: dict[str, Any] = {"group_by": ["entity_type", "entity_id"], "entity_type": kind}
    interval = span.interval()
    wanted_entities = ask(
        usage.sum, account, span.question(**by_entity, interval=interval, top=TOP_ENTITIES), 0, COST
    )
    wanted_former = ask(before_of, visit, span, COST, **by_entity, limit=MOST_COMPARED)
    wanted_month = ask(_month, visit)
    wanted_before = ask(before_of, visit, span)
    wanted_known = ask(suggestions, visit)
    wanted_dropped = ask(_dropped, visit, span)
    wanted_near = ask(visit.dashboard.limits.near, account, MOST_ALERTS)
    charted = summed(usage, account, span.question, group_by=[stack], interval=interval)
    now, before = charted.page.totals, wanted_before.result().page.totals
    known = wanted_known.result()
    parts = parts_of(charted, most=TOP_SERIES)

    def drill(group: Group) -> str | None:
        return _explored(span, stack, group)

    return Page(
        template="overview.html",
        context={
            "span": span,
            "presets": PRESETS,
            "now": now,
            "before": before,
            "unknown": _unknown(now, wanted_dropped.result()),
            "stack": stack,
            "stack_name": STACKS.get(stack, stack[5:-1]),
            "stacks": STACKS,
            "tag_keys": known.tag_keys,
            "kind": kind,
            "kinds": _kinds(known, kind),
            "address": {**span.address, "by": "" if stack == "model" else stack, "type": kind},
            "chart": chart_of(
                charted,
                parts,
                "cost",
                interval,
                f"Spend by {STACKS.get(stack, stack)}, {span.title}",
                series_href=drill,
            ),
            "parts_of_spend": [(part, drill(part.group or ())) for part in parts],
            "entities": _entities(visit, span, wanted_entities.result(), wanted_former.result()),
            "month": wanted_month.result(),
            **_alerts(visit),
            "near": lines_of_standings(visit, wanted_near.result().data),
            "near_total": wanted_near.result().total,
        },
    )


def _alerts(visit: Visit) -> dict[str, Any]:
    """Open anomalies, those with the largest impact of the newest first."""
    account = visit.account.number
    found = visit.dashboard.anomalies.page(
        account, ListAnomaliesQuery(status="open", limit=RANKED_ALERTS)
    )
    shown = sorted(found.data, key=lambda each: -each.impact_usd.pico)[:MOST_ALERTS]
    names = visit.dashboard.entities.names(
        account,
        [
            (each.entity_type, each.entity_id)
            for each in shown
            if each.entity_type is not None and each.entity_id is not None
        ],
    )
    return {"alerts": {"data": shown, "total": found.total}, "alert_names": names}


def _dropped(visit: Visit, span: Span) -> int:
    """Calls that the SDK lost, as it reports by days of UTC, on the days of the span."""
    first, last = (iso_utc(us)[:10] for us in (span.start_us, max(span.start_us, span.end_us - 1)))
    days = -(-(visit.now_us - span.start_us) // MICROSECONDS_PER_DAY) + 1
    health = visit.dashboard.sdk_reports.health(visit.account.number, min(max(days, 1), MAX_DAYS))
    return sum(day.dropped_events for date, day in health.by_day if first <= date <= last)


def _unknown(now: Sums, dropped: int) -> Unknown:
    missing = now.unpriced_events + dropped
    priced = now.events - now.unpriced_events
    return Unknown(
        unpriced=now.unpriced_events,
        dropped=dropped,
        missing=missing,
        calls=now.events + dropped,
        guess_pico=divide_half_even(now.cost_pico * missing, priced) if priced else None,
    )


def _explored(span: Span, stack: str, group: Group) -> str | None:
    """The explorer with one group of the chart alone."""
    if not group or group[0] is None:
        return None
    if stack.startswith("tags["):
        return link("/explorer", **span.address, tag=f"{stack[5:-1]}={group[0]}", group="entity_id")
    return link("/explorer", **{**span.address, stack: group[0]}, group="entity_id")


def _kinds(known: Suggestions, kind: str) -> list[str]:
    return sorted({*known.entity_types, *([kind] if kind else [])})


def _entities(
    visit: Visit, span: Span, found: UsageAnswer, former: UsageAnswer
) -> list[EntityLine]:
    before = {row.group: row.sums.cost_pico for row in former.page.rows}
    complete = former.page.total <= MOST_COMPARED
    lines = [
        part for part in parts_of(found) if part.group is not None and part.group[0] is not None
    ]
    keys = {part.group: (str(part.group[0]), str(part.group[1])) for part in lines if part.group}
    if not complete:
        # Who was not among the dearest before is asked for by name: seldom more than one or two.
        for group, (kind, name_id) in keys.items():
            if group not in before:
                asked = before_of(visit, span, COST, entity_type=kind, entity_id=name_id)
                before[group] = asked.page.totals.cost_pico
    names = visit.dashboard.entities.names(visit.account.number, keys.values())
    return [
        EntityLine(
            *key,
            name=names.get(key),
            cost_pico=part.sums.cost_pico,
            before_pico=before.get(key, 0),
            spark=[value or 0 for value in part.values],
        )
        for part in lines
        for key in [keys[part.group or ()]]
    ]


def _month(visit: Visit) -> dict[str, Any]:
    """This month so far and its forecast."""
    key = (visit.account.number, "month", visit.account.timezone)
    return visit.dashboard.recent.get(key, lambda: _forecast(visit))


def _forecast(visit: Visit) -> dict[str, Any]:
    zone, now_us = visit.zone, visit.now_us
    month_us, next_month_us = month_around(zone, now_us)
    today_us = midnight_us(zone, now_us)
    first_us = min(month_us, midnight_us(zone, now_us, MOST_DAYS))
    answer = visit.dashboard.usage.sum(
        visit.account.number, usage_question(first_us, now_us, zone, interval="day"), 0, COST
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
