"""API keys: made with scopes and an end, shown once, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infraprism_server.api_keys.schemas import CreatedKeyOut, CreateKey
from infraprism_server.dashboard.forms import Form, decoded, local_instant
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.errors import Conflict, InvalidRequest

LABELS = {"name": "Name", "scopes": "May", "expires_at": "Works until"}
SCOPES = [
    ("ingest", "Report calls", "For applications: the SDK needs no more."),
    ("read", "Read everything", "For reports and notebooks."),
    ("full", "Everything", "For administration: it may change and delete, and sign in here."),
]


@page("/keys")
def keys(visit: Visit) -> Page:
    return _keys_page(visit, {"scopes": ["ingest"]})


@action("/keys")
def create_key(visit: Visit) -> Page:
    """The new key, shown on the page that answers the form, and nowhere again."""
    try:
        new = decoded(
            CreateKey,
            {
                "name": visit.field("name"),
                "scopes": visit.fields("scopes"),
                "expires_at": local_instant(visit.field("expires_at"), visit.zone),
            },
        )
        made = visit.dashboard.api_keys.create(visit.account.number, new, visit.once("POST /keys"))
    except (InvalidRequest, Conflict) as error:
        return _keys_page(visit, visit.form, error)
    return _keys_page(visit, {"scopes": ["ingest"]}, made=made)


@action("/keys/{key_id:str}/delete")
def delete_key(visit: Visit) -> Go:
    visit.dashboard.api_keys.delete(visit.account.number, visit.path("key_id"))
    return Go("/keys", "deleted")


def _keys_page(
    visit: Visit,
    typed: Mapping[str, list[str]],
    error: InvalidRequest | Conflict | None = None,
    made: CreatedKeyOut | None = None,
) -> Page:
    offset = offset_of(visit.query("offset"))
    found = visit.dashboard.api_keys.page(visit.account.number, PAGE_ROWS, offset)
    context: dict[str, Any] = {
        "form": Form(LABELS, typed, error),
        "scopes": SCOPES,
        "words": {scope: words.lower() for scope, words, _ in SCOPES},
        "made": made,
        "base_url": visit.base_url,
        "found": found.keys,
        "pages": pages_of("/keys", {}, offset, len(found.keys), found.total),
    }
    return Page(template="keys.html", status=400 if error else 200, context=context)


ROUTES = [keys, create_key, delete_key]
