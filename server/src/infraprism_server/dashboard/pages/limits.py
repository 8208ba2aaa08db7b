"""Limits: what may be spent and who is near it; made, changed and deleted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from infraprism_server.accounts.account import zone_names
from infraprism_server.dashboard.forms import Form, decoded, number
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.render import link, path_segment
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.limits.blocking import Standing
from infraprism_server.limits.limit import EACH, Metric
from infraprism_server.limits.schemas import ChangeLimit, CreateLimit, LimitOut, ListLimitsQuery
from infraprism_server.money import pico_from_decimal

LABELS = {
    "entity_type": "Type",
    "whom": "For",
    "entity_id": "Id",
    "metric": "Count",
    "amount": "At most",
    "period": "Every",
    "timezone": "Time zone",
    "approaching": "Warn at, percent",
    "action": "When it is reached",
}
METRICS = [("cost_usd", "Dollars"), ("tokens", "Tokens, in and out"), ("requests", "Calls")]
PERIODS = {
    "hour": "an hour",
    "day": "a day",
    "week": "a week",
    "month": "a month",
    "total": "in all",
}
PERIOD_CHOICES = [
    ("hour", "Hour"),
    ("day", "Day"),
    ("week", "Week, from Monday"),
    ("month", "Month"),
    ("total", "Never anew: a total"),
]
ACTIONS = [
    ("notify", "Tell", "Here and by webhooks. Calls go on."),
    ("block", "Tell and stop", "The SDK is told too, and refuses further calls until it resets."),
]
WHOM = [
    ("each", "Each of them, on its own", ""),
    ("one", "One of them", ""),
]
MOST_NEAR = 10
MOST_NEAR_OF_ONE = 50


class LimitLine(NamedTuple):
    """A limit and where somebody stands with it. Amounts are in the metric's unit, or pico-dollars.

    `entity_id` is None for each of the type; then `spent` is of the one that spent most.
    """

    id: str
    entity_type: str
    entity_id: str | None
    name: str | None
    metric: Metric
    amount: int
    spent: int
    parts_per_million: int
    state: str
    period: str
    timezone: str
    blocks: bool
    resets_at_us: int | None
    unpriced: int
    highest: str | None = None
    reached: int = 0

    @property
    def percent(self) -> int:
        """Of the amount, rounded down: 100 only when it is reached."""
        return self.parts_per_million // 10_000


@page("/limits")
def limits(visit: Visit) -> Page:
    account, offset = visit.account.number, offset_of(visit.query("offset"))
    asked = {name: visit.query(name) for name in ("entity_type", "entity_id") if visit.query(name)}
    query = decoded(ListLimitsQuery, asked)
    found = visit.dashboard.limits.page(
        account,
        PAGE_ROWS,
        offset,
        None,
        entity_type=query.entity_type,
        entity_id=query.entity_id,
    )
    near = visit.dashboard.limits.near(account, MOST_NEAR)
    return Page(
        template="limits.html",
        context={
            "found": lines_of_limits(visit, found.data),
            "near": [] if offset else lines_of_standings(visit, near.data),
            "near_total": near.total,
            "asked": asked,
            "known": suggestions(visit),
            "pages": pages_of("/limits", asked, offset, len(found.data), found.total),
        },
    )


@page("/limits/new")
def new_limit(visit: Visit) -> Page:
    """The empty form; an address may name the entity it is for."""
    return _new_page(
        visit,
        {
            "entity_type": [visit.query("entity_type", "customer")],
            "entity_id": [visit.query("entity_id")],
            "whom": ["one" if visit.query("entity_id") else "each"],
            "metric": ["cost_usd"],
            "period": ["month"],
            "timezone": [visit.account.timezone],
            "approaching": ["80"],
            "action": ["notify"],
        },
    )


@action("/limits")
def create_limit(visit: Visit) -> Page | Go:
    try:
        new = decoded(
            CreateLimit,
            {
                "entity_type": visit.field("entity_type") or None,
                "entity_id": EACH if visit.field("whom") == "each" else _own_id(visit),
                "metric": visit.field("metric"),
                **_changeable(visit),
            },
        )
        visit.dashboard.limits.create(visit.account.number, new, visit.once("POST /limits"))
    except (InvalidRequest, Conflict) as error:
        return _new_page(visit, visit.form, error)
    return Go("/limits", "created")


@page("/limits/{limit_id:str}")
def limit(visit: Visit) -> Page:
    """One limit: where it stands, who is near it, and its form."""
    found = visit.dashboard.limits.get(visit.account.number, visit.path("limit_id"))
    return _limit_page(visit, found, _stored(found))


@action("/limits/{limit_id:str}")
def change_limit(visit: Visit) -> Page | Go:
    limit_id = visit.path("limit_id")
    found = visit.dashboard.limits.get(visit.account.number, limit_id)
    try:
        change = decoded(ChangeLimit, _changeable(visit))
        visit.dashboard.limits.change(visit.account.number, limit_id, change)
    except InvalidRequest as error:
        return _limit_page(visit, found, visit.form, error)
    return Go(f"/limits/{path_segment(limit_id)}", "saved")


@action("/limits/{limit_id:str}/delete")
def delete_limit(visit: Visit) -> Go:
    visit.dashboard.limits.delete(visit.account.number, visit.path("limit_id"))
    return Go("/limits", "deleted")


def lines_of_standings(visit: Visit, standings: Iterable[Standing]) -> list[LimitLine]:
    """Where entities stand, as the page shows it."""
    standings = list(standings)
    names = visit.dashboard.entities.names(
        visit.account.number, [(each.entity.type, each.entity.id) for each in standings]
    )
    return [
        LimitLine(
            id=each.limit.id,
            entity_type=each.entity.type,
            entity_id=each.entity.id,
            name=names.get((each.entity.type, each.entity.id)),
            metric=each.limit.metric,
            amount=each.limit.amount,
            spent=each.spent,
            parts_per_million=each.parts_per_million,
            state=each.limit.state(each.spent),
            period=PERIODS[each.limit.period],
            timezone=each.limit.timezone,
            blocks=each.limit.action == "block",
            resets_at_us=each.resets_at_us,
            unpriced=each.unpriced,
        )
        for each in standings
    ]


def lines_of_limits(visit: Visit, found: Iterable[LimitOut]) -> list[LimitLine]:
    """Limits as the page shows them."""
    found = list(found)
    keys = {
        (each.entity_type, each.highest_entity_id or each.entity_id)
        for each in found
        if (each.highest_entity_id or each.entity_id) != EACH
    }
    names = visit.dashboard.entities.names(visit.account.number, keys)
    lines = []
    for each in found:
        amount, spent = (
            _units(each.metric, each.amount.value),
            _units(each.metric, each.spent.value),
        )
        who = each.highest_entity_id or each.entity_id
        lines.append(
            LimitLine(
                id=each.id,
                entity_type=each.entity_type,
                entity_id=None if each.entity_id == EACH else each.entity_id,
                name=names.get((each.entity_type, who)),
                metric=each.metric,
                amount=amount,
                spent=spent,
                parts_per_million=spent * 1_000_000 // amount,
                state=each.state,
                period=PERIODS[each.period],
                timezone=each.timezone,
                blocks=each.action == "block",
                resets_at_us=each.resets_at.us if each.resets_at else None,
                unpriced=each.unpriced_events,
                highest=each.highest_entity_id,
                reached=each.entities_reached,
            )
        )
    return lines


def _new_page(
    visit: Visit, typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    return Page(
        template="limit_new.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "whom": WHOM,
            "metrics": METRICS,
            "known": suggestions(visit),
            **_choices(),
        },
    )


def _limit_page(
    visit: Visit,
    found: LimitOut,
    typed: Mapping[str, list[str]],
    error: InvalidRequest | None = None,
) -> Page:
    near = visit.dashboard.limits.near(visit.account.number, MOST_NEAR_OF_ONE, found.id)
    return Page(
        template="limit.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "line": lines_of_limits(visit, [found])[0],
            "limit": found,
            "near": lines_of_standings(visit, near.data) if found.entity_id == EACH else [],
            "near_total": near.total,
            **_choices(),
        },
    )


def _choices() -> dict[str, Any]:
    return {
        "periods": PERIOD_CHOICES,
        "actions": ACTIONS,
        "zones": zone_names(),
    }


def _changeable(visit: Visit) -> dict[str, object]:
    """What can be changed later, too, as the API takes it."""
    return {
        "amount": number(visit.field("amount")),
        "period": visit.field("period"),
        "timezone": visit.field("timezone") or None,
        "action": visit.field("action"),
        "approaching": _fractions(visit.field("approaching")),
    }


def _own_id(visit: Visit) -> str | None:
    entity_id = visit.field("entity_id")
    if entity_id == EACH:
        raise InvalidRequest("For each of them choose so above", "entity_id")
    return entity_id or None


def _fractions(text: str) -> list[msgspec.Raw]:
    """Percentages as fractions of the amount; none: no warning."""
    parts = [part for part in re.split(r"[\s,;%]+", text) if part]
    if not all(re.fullmatch(r"\d{1,2}(\.\d{1,4})?", part, re.ASCII) for part in parts):
        raise InvalidRequest("Percentages below 100, such as 80 or 50, 80, 95", "approaching")
    return [msgspec.Raw(format(Decimal(part) / 100, "f").encode()) for part in parts]


def _stored(found: LimitOut) -> dict[str, list[str]]:
    percents = [format((each.value * 100).normalize(), "f") for each in found.approaching]
    return {
        "amount": [format(found.amount.value, "f")],
        "period": [found.period],
        "timezone": [found.timezone],
        "approaching": [", ".join(percents)],
        "action": [found.action],
    }


def _units(metric: Metric, amount: Decimal) -> int:
    return pico_from_decimal(amount) if metric == "cost_usd" else int(amount)


def link_to_limits_of(entity_type: str, entity_id: str) -> str:
    """Where a limit for an entity is made."""
    return link("/limits/new", entity_type=entity_type, entity_id=entity_id)


ROUTES = [limits, new_limit, create_limit, limit, change_limit, delete_limit]
