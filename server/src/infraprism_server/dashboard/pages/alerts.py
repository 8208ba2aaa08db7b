"""Alerts: spend that is out of the ordinary, drawn beside what was expected; what is planned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from infraprism_server.anomalies.schemas import (
    AnomalyOut,
    AnomalySeries,
    CreatePlanned,
    ListAnomaliesQuery,
    PatchAnomaly,
    PlannedOut,
    SeriesHour,
)
from infraprism_server.clock import iso_utc
from infraprism_server.dashboard.forms import Form, decoded
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.render import link, path_segment
from infraprism_server.dashboard.span import bucket_label
from infraprism_server.errors import Conflict, InvalidRequest

STATUSES = {"open": "Open", "expected": "Expected", "resolved": "Resolved", "all": "All"}
KINDS = {
    "spike": "Spent more than usual",
    "drift": "Spends more than it used to",
    "new_entity": "New, and dear from the start",
}
LABELS = {
    "start_date": "From",
    "end_date": "Until",
    "whom": "Who",
    "entity_type": "Type",
    "entity_id": "Id",
    "note": "What for",
}
WHOM = [("each", "Anyone of the account", ""), ("one", "One of them", "")]
_FILTERS = ("entity_type", "entity_id", "start_date", "end_date")


class AlertLine(NamedTuple):
    """An anomaly and what whom it is about is called."""

    anomaly: AnomalyOut
    name: str | None

    @property
    def who(self) -> str:
        return self.name or self.anomaly.entity_id or "All spend of the account"

    @property
    def kind(self) -> str:
        return KINDS[self.anomaly.kind]


class Cause(NamedTuple):
    """A model or tag value that grew; `href` shows its calls."""

    dimension: str
    value: str | None
    cost_pico: int
    before_pico: int
    href: str | None


@page("/alerts")
def alerts(visit: Visit) -> Page:
    offset = offset_of(visit.query("offset"))
    status = visit.query("status") or "open"
    asked = {name: visit.query(name) for name in _FILTERS if visit.query(name)}
    wanted: dict[str, object] = {**asked, "limit": PAGE_ROWS, "offset": offset}
    if status != "all":
        wanted["status"] = status
    query = decoded(ListAnomaliesQuery, wanted)
    service = visit.dashboard.anomalies
    found = service.page(visit.account.number, query)
    address = {**asked, "status": "" if status == "open" else status}
    return Page(
        template="alerts.html",
        context={
            "lines": lines_of(visit, found.data),
            "status": status,
            "statuses": STATUSES,
            "asked": asked,
            "known": suggestions(visit),
            "settings": service.settings(visit.account.number),
            "pages": pages_of("/alerts", address, offset, len(found.data), found.total),
        },
    )


@page("/alerts/{anomaly_id:str}")
def alert(visit: Visit) -> Page:
    service, account = visit.dashboard.anomalies, visit.account.number
    found = service.get(account, visit.path("anomaly_id"))
    picture = service.picture(account, found.id, None, 24)
    return Page(
        template="alert.html",
        context={
            "line": lines_of(visit, [found])[0],
            "anomaly": found,
            "picture": picture,
            "chart": _chart(visit, picture),
            "causes": [_cause(found, each) for each in found.contributors],
            "explore": _explored(found, group="model"),
        },
    )


@action("/alerts/{anomaly_id:str}")
def mark_alert(visit: Visit) -> Go:
    anomaly_id = visit.path("anomaly_id")
    status = decoded(PatchAnomaly, {"status": visit.field("status")}).status
    visit.dashboard.anomalies.mark(visit.account.number, anomaly_id, status)
    if visit.field("back") == "list":
        return Go("/alerts", "marked")
    return Go(f"/alerts/{path_segment(anomaly_id)}", "marked")


@page("/alerts/planned")
def planned(visit: Visit) -> Page:
    return _planned_page(
        visit,
        {
            "whom": ["one" if visit.query("entity_id") else "each"],
            "entity_type": [visit.query("entity_type", "customer")],
            "entity_id": [visit.query("entity_id")],
        },
    )


@action("/alerts/planned")
def plan(visit: Visit) -> Page | Go:
    one = visit.field("whom") == "one"
    try:
        new = decoded(
            CreatePlanned,
            {
                "start_date": visit.field("start_date") or None,
                "end_date": visit.field("end_date") or None,
                "entity_type": visit.field("entity_type") if one else None,
                "entity_id": visit.field("entity_id") if one else None,
                "note": visit.field("note"),
            },
        )
        visit.dashboard.anomalies.plan(
            visit.account.number, new, visit.once("POST /alerts/planned")
        )
    except (InvalidRequest, Conflict) as error:
        return _planned_page(visit, visit.form, error)
    return Go("/alerts/planned", "created")


@action("/alerts/planned/{planned_id:str}/delete")
def delete_plan(visit: Visit) -> Go:
    visit.dashboard.anomalies.delete_planned(visit.account.number, visit.path("planned_id"))
    return Go("/alerts/planned", "deleted")


def lines_of(visit: Visit, found: Iterable[AnomalyOut]) -> list[AlertLine]:
    """Anomalies with the names of their entities."""
    found = list(found)
    keys = [(each.entity_type, each.entity_id) for each in found]
    names = visit.dashboard.entities.names(
        visit.account.number,
        [(kind, name) for kind, name in keys if kind is not None and name is not None],
    )
    return [
        AlertLine(each, names.get((each.entity_type or "", each.entity_id or ""))) for each in found
    ]


def _planned_page(
    visit: Visit, typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    offset = offset_of(visit.query("offset"))
    found, total = visit.dashboard.anomalies.planned(visit.account.number, PAGE_ROWS, offset)
    return Page(
        template="planned.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "whom": WHOM,
            "known": suggestions(visit),
            "found": found,
            "state": lambda each: _state(each, visit.now_us),
            "pages": pages_of("/alerts/planned", {}, offset, len(found), total),
        },
    )


def _state(each: PlannedOut, now_us: int) -> str:
    if each.end.us <= now_us:
        return "over"
    return "now" if each.start.us <= now_us else "ahead"


def _cause(found: AnomalyOut, one: Any) -> Cause:  # noqa: ANN401 - a Contributor
    if one.value is None:
        href = None
    elif one.dimension == "model":
        href = _explored(found, model=one.value, group="session_id")
    else:
        key = one.dimension[len("tags[") : -1]
        href = _explored(found, tag=f"{key}={one.value}", group="model")
    dimension = one.dimension if one.dimension == "model" else one.dimension[len("tags[") : -1]
    return Cause(dimension, one.value, one.cost_usd.pico, one.week_before_usd.pico, href)


def _explored(found: AnomalyOut, **parts: str) -> str:
    """The explorer over the odd window, at whom it is about."""
    return link(
        "/explorer",
        start=iso_utc(found.window.start.us),
        end=iso_utc(found.window.end.us),
        entity_type=found.entity_type,
        entity_id=found.entity_id,
        **parts,
    )


def _chart(visit: Visit, picture: AnomalySeries) -> dict[str, Any]:
    """Hours as bars, those of the episode in another colour, over the band they were judged by."""
    hours = picture.hours
    return {
        "kind": "stacked",
        "unit": "usd",
        "summary": "Spend by hour beside what was expected. The table below has the same numbers.",
        "x": [_label(visit, each) for each in hours],
        "series": [
            {
                "name": "spent",
                "values": [_dollars(each) for each in hours],
                "marked": [each.in_episode for each in hours],
            }
        ],
        "band": {
            "name": "ordinary",
            "lower": [None if e.lower_usd is None else e.lower_usd.pico / 1e12 for e in hours],
            "upper": [None if e.upper_usd is None else e.upper_usd.pico / 1e12 for e in hours],
            "middle": [
                None if e.expected_usd is None else e.expected_usd.pico / 1e12 for e in hours
            ],
        },
    }


def _label(visit: Visit, hour: SeriesHour) -> dict[str, str]:
    return bucket_label(hour.start.us, "hour", visit.zone)


def _dollars(hour: SeriesHour) -> float:
    return hour.actual_usd.pico / 1e12


ROUTES = [alerts, planned, plan, delete_plan, alert, mark_alert]
