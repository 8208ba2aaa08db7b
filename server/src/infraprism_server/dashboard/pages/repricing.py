"""Pricing stored calls again: first what would change, for whom, then the change itself."""

from __future__ import annotations

from collections.abc import Mapping

from infraprism_server.dashboard.forms import Form, decoded
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.chosen import chosen_words
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.render import path_segment
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.http.time_range import parse_range
from infraprism_server.pricing.schemas import RepricingIn

LABELS = {
    "only": "Which calls",
    "start_date": "From",
    "end_date": "To",
    "provider": "Provider",
    "model": "Model",
    "entity_type": "Type",
    "entity_id": "Id",
}
WHICH = [
    ("unpriced", "Those without a price", "They count as $0 so far"),
    ("all", "All", "But those whose cost the provider reported itself"),
]
MOST_SHOWN = 50
_TEXTS = ("start_date", "end_date", "provider", "model", "entity_type", "entity_id")


@page("/prices/repricings/new")
def new_repricing(visit: Visit) -> Page:
    return _new_page(visit, {"only": ["unpriced"]})


@action("/prices/repricings")
def start_dry_run(visit: Visit) -> Page | Go:
    """Only ever a dry run: what it shows can then be done."""
    try:
        fields = {name: visit.field(name) or None for name in _TEXTS}
        wanted = decoded(RepricingIn, {"only": visit.field("only"), "dry_run": True, **fields})
        span = parse_range(wanted.start_date, wanted.end_date, visit.zone)
        started = visit.dashboard.pricing.start_repricing(
            visit.account.number, wanted, span.start_us, span.end_us
        )
    except (InvalidRequest, Conflict) as error:
        return _new_page(visit, visit.form, error)
    visit.dashboard.worker.nudge()
    return Go(f"/prices/repricings/{path_segment(started.id)}")


@page("/prices/repricings/{repricing_id:str}")
def repricing(visit: Visit) -> Page:
    """How far it is, and what it changes by entity."""
    account, pricing = visit.account.number, visit.dashboard.pricing
    found = pricing.get_repricing(account, visit.path("repricing_id"))
    entities = found.result.entities if found.result else []
    keys = [(each.entity_type, each.entity_id) for each in entities[:MOST_SHOWN]]
    return Page(
        template="repricing.html",
        context={
            "job": found,
            "moving": found.status in ("queued", "running"),
            "about": chosen_words(visit, pricing.wanted_of(account, found.id).filter(account)),
            "entities": entities[:MOST_SHOWN],
            "hidden": entities[MOST_SHOWN:],
            "names": visit.dashboard.entities.names(
                account,
                [(kind, name) for kind, name in keys if kind is not None and name is not None],
            ),
        },
    )


@action("/prices/repricings/{repricing_id:str}/apply")
def apply_dry_run(visit: Visit) -> Go:
    """Change the costs that a dry run showed."""
    started = visit.dashboard.pricing.apply_dry_run(
        visit.account.number, visit.path("repricing_id")
    )
    visit.dashboard.worker.nudge()
    return Go(f"/prices/repricings/{path_segment(started.id)}", "started")


def _new_page(
    visit: Visit, typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    return Page(
        template="repricing_new.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "which": WHICH,
            "known": suggestions(visit),
        },
    )


ROUTES = [new_repricing, start_dry_run, repricing, apply_dry_run]
