"""Exports: calls as a file, made in the background while the page shows how far it is."""

from __future__ import annotations

from collections.abc import Mapping

from infraprism_server.clock import from_us
from infraprism_server.dashboard.forms import Form, decoded
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.chosen import chosen_words
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.exports.schemas import CreateExport

LABELS = {
    "start_date": "From",
    "end_date": "To",
    "format": "As",
    "entity_type": "Type",
    "entity_id": "Id",
    "model": "Model",
    "provider": "Provider",
    "session_id": "Session",
    "success": "Outcome",
    "tags": "Tag",
}
FORMATS = [
    ("xlsx", "Excel workbook", "Up to 1,048,575 calls"),
    ("csv", "CSV", "For spreadsheets and most other programs"),
    ("json", "JSON lines", "One call a line, for programs"),
    ("parquet", "Parquet", "Small and fast, for pandas, DuckDB, Spark"),
]
OUTCOMES = [("", "All"), ("true", "Succeeded"), ("false", "Failed")]
_TEXTS = ("entity_type", "entity_id", "model", "provider", "session_id")


@page("/exports")
def exports(visit: Visit) -> Page:
    today = from_us(visit.now_us).astimezone(visit.zone).date()
    asked = {name: [visit.query(name)] for name in (*_TEXTS, "success") if visit.query(name)}
    return _exports_page(
        visit,
        {
            "start_date": [visit.query("start_date") or today.replace(day=1).isoformat()],
            "end_date": [visit.query("end_date") or today.isoformat()],
            "format": ["xlsx"],
            **asked,
        },
    )


@action("/exports")
def create_export(visit: Visit) -> Page | Go:
    try:
        new = decoded(
            CreateExport,
            {
                "start_date": visit.field("start_date") or None,
                "end_date": visit.field("end_date") or None,
                "format": visit.field("format"),
                **{name: visit.field(name) or None for name in _TEXTS},
                "success": {"true": True, "false": False}.get(visit.field("success")),
                "tags": _tags(visit.field("tags")),
            },
        )
        visit.dashboard.exports.create(
            visit.account.number, new, visit.base_url, visit.once("POST /exports")
        )
    except (InvalidRequest, Conflict) as error:
        return _exports_page(visit, visit.form, error)
    return Go("/exports", "started")


@action("/exports/{export_id:str}/delete")
def delete_export(visit: Visit) -> Go:
    """Cancel it if it is under way, and remove its file."""
    visit.dashboard.exports.delete(visit.account.number, visit.path("export_id"))
    return Go("/exports", "deleted")


def _exports_page(
    visit: Visit, typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    offset = offset_of(visit.query("offset"))
    found = visit.dashboard.exports.page(visit.account.number, PAGE_ROWS, offset, None)
    return Page(
        template="exports.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "formats": FORMATS,
            "outcomes": OUTCOMES,
            "words": {key: words for key, words, _ in FORMATS},
            "filtered": any(any(typed.get(name, [])) for name in (*_TEXTS, "success", "tags")),
            "known": suggestions(visit),
            "found": found.data,
            "chosen": {
                export_id: chosen_words(visit, where)
                for export_id, where in visit.dashboard.exports.asked(
                    visit.account.number, [each.id for each in found.data]
                ).items()
            },
            "moving": any(each.status == "processing" for each in found.data),
            "pages": pages_of("/exports", {}, offset, len(found.data), found.total),
        },
    )


def _tags(text: str) -> dict[str, str] | None:
    if not text:
        return None
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidRequest("A tag is written key=value, such as feature=chatbot", "tags")
    return {key.strip(): value.strip()}


ROUTES = [exports, create_export, delete_export]
