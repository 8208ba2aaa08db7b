"""Webhooks: endpoints, their secrets, and what was delivered with every attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infraprism_server.dashboard.forms import Form, decoded
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.render import path_segment
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.webhooks.schemas import ChangeWebhook, CreateWebhook, SecretOut, WebhookOut

LABELS = {"url": "Address", "events": "Tell it of"}
EVENTS = [
    ("anomaly.detected", "Alerts", "Somebody's spend is out of the ordinary"),
    ("limit.reached", "Limits that are reached", ""),
    ("limit.approaching", "Limits that come near", "At the percentages of the limit"),
    ("export.completed", "Exports that are ready", ""),
    ("pricing.unpriced", "Models without a price", "Once a day"),
]
STATUSES = {
    "pending": ("on its way", "accent"),
    "delivered": ("delivered", "good"),
    "failed": ("failed", "bad"),
}
SOON_US = 15_000_000
"""A delivery that is due so soon is watched on the page."""


@page("/webhooks")
def webhooks(visit: Visit) -> Page:
    offset = offset_of(visit.query("offset"))
    found = visit.dashboard.webhooks.page(visit.account.number, PAGE_ROWS, offset, None)
    return Page(
        template="webhooks.html",
        context={
            "found": found.data,
            "words": {event: words for event, words, _ in EVENTS},
            "pages": pages_of("/webhooks", {}, offset, len(found.data), found.total),
        },
    )


@page("/webhooks/new")
def new_webhook(_visit: Visit) -> Page:
    every = [event for event, _, _ in EVENTS]
    return _new_page({"events": every})


@action("/webhooks")
def create_webhook(visit: Visit) -> Page:
    """The endpoint's page with its secret, shown this once."""
    try:
        new = decoded(CreateWebhook, _typed(visit))
        made = visit.dashboard.webhooks.create(
            visit.account.number, new, visit.once("POST /webhooks")
        )
    except (InvalidRequest, Conflict) as error:
        return _new_page(visit.form, error)
    return _webhook_page(visit, made, secret=made)


@page("/webhooks/{webhook_id:str}")
def webhook(visit: Visit) -> Page:
    return _webhook_page(visit, _found(visit))


@action("/webhooks/{webhook_id:str}")
def change_webhook(visit: Visit) -> Page | Go:
    found = _found(visit)
    try:
        change = decoded(ChangeWebhook, _typed(visit))
        visit.dashboard.webhooks.change(visit.account.number, found.id, change)
    except InvalidRequest as error:
        return _webhook_page(visit, found, typed=visit.form, error=error)
    return Go(_path(found.id), "saved")


@action("/webhooks/{webhook_id:str}/enabled")
def enable_webhook(visit: Visit) -> Go:
    """Switch it on or off; what waits for it goes on when it is on again."""
    change = ChangeWebhook(enabled=visit.field("enabled") == "true")
    changed = visit.dashboard.webhooks.change(
        visit.account.number, visit.path("webhook_id"), change
    )
    return Go(_path(changed.id), "saved")


@action("/webhooks/{webhook_id:str}/test")
def test_webhook(visit: Visit) -> Page | Go:
    return _tried(
        visit,
        lambda account, webhook_id: visit.dashboard.webhooks.test(
            account, webhook_id, visit.once("POST /webhooks/test")
        ),
    )


@action("/webhooks/{webhook_id:str}/rotate")
def rotate_secret(visit: Visit) -> Page:
    """A new secret, shown this once; the one before it signs as well for a day."""
    made = visit.dashboard.webhooks.rotate_secret(visit.account.number, visit.path("webhook_id"))
    return _webhook_page(visit, made, secret=made)


@action("/webhooks/{webhook_id:str}/delete")
def delete_webhook(visit: Visit) -> Go:
    visit.dashboard.webhooks.delete(visit.account.number, visit.path("webhook_id"))
    return Go("/webhooks", "deleted")


@action("/webhooks/{webhook_id:str}/deliveries/{delivery_id:str}")
def redeliver(visit: Visit) -> Page | Go:
    return _tried(
        visit,
        lambda account, webhook_id: visit.dashboard.webhooks.redeliver(
            account, webhook_id, visit.path("delivery_id")
        ),
    )


def _tried(visit: Visit, send: Any) -> Page | Go:  # noqa: ANN401 - a function of two ids
    """Send something; a disabled endpoint is told on its own page."""
    found = _found(visit)
    try:
        send(visit.account.number, found.id)
    except Conflict as error:
        return _webhook_page(visit, found, problem=error.message)
    return Go(_path(found.id), "sent")


def _found(visit: Visit) -> WebhookOut:
    return visit.dashboard.webhooks.get(visit.account.number, visit.path("webhook_id"))


def _path(webhook_id: str) -> str:
    return f"/webhooks/{path_segment(webhook_id)}"


def _typed(visit: Visit) -> dict[str, object]:
    return {"url": visit.field("url"), "events": visit.fields("events")}


def _new_page(
    typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    return Page(
        template="webhook_new.html",
        status=400 if error else 200,
        context={"form": Form(LABELS, typed, error), "events": EVENTS},
    )


def _webhook_page(
    visit: Visit,
    found: WebhookOut,
    *,
    typed: Mapping[str, list[str]] | None = None,
    error: InvalidRequest | None = None,
    secret: SecretOut | None = None,
    problem: str | None = None,
) -> Page:
    offset = offset_of(visit.query("offset"))
    sent = visit.dashboard.webhooks.delivery_page(
        visit.account.number, found.id, PAGE_ROWS, offset, None
    )
    stored: Mapping[str, list[str]] = {"url": [found.url], "events": list(found.events)}
    return Page(
        template="webhook.html",
        status=400 if error or problem else 200,
        context={
            "webhook": found,
            "path": _path(found.id),
            "form": Form(LABELS, stored if typed is None else typed, error),
            "problem": problem,
            "secret": secret.secret if secret else None,
            "events": EVENTS,
            "sent": sent.data,
            "moving": any(
                each.next_attempt_at is not None
                and each.next_attempt_at.us <= visit.now_us + SOON_US
                for each in sent.data
            ),
            "statuses": STATUSES,
            "pages": pages_of(_path(found.id), {}, offset, len(sent.data), sent.total),
        },
    )


ROUTES = [
    webhooks,
    new_webhook,
    create_webhook,
    webhook,
    change_webhook,
    enable_webhook,
    test_webhook,
    rotate_secret,
    delete_webhook,
    redeliver,
]
