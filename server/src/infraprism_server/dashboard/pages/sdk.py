"""SDK health: what became of the calls that applications saw, by version and by reason."""

from __future__ import annotations

from datetime import date
from typing import Any

from infraprism_server.dashboard.frame import Page, Visit, page
from infraprism_server.errors import InvalidRequest
from infraprism_server.sdk_reports.health import Health

DAYS = {"7": "7 days", "30": "30 days", "90": "90 days"}
REASONS = {
    "queue_full": "The server was away or too slow for longer than the queue could hold.",
    "at_exit": "The application ended before all was sent. Call close() before it exits.",
    "too_large": "A single call was larger than the server takes.",
    "refused": "The server refused it: an API key without the right, or data it does not know.",
}


@page("/sdk")
def sdk(visit: Visit) -> Page:
    days = visit.query("days") or "30"
    if days not in DAYS:
        raise InvalidRequest(f"'days' is one of {', '.join(DAYS)}", "days")
    health = visit.dashboard.sdk_reports.health(visit.account.number, int(days))
    return Page(
        template="sdk.html",
        context={
            "days": days,
            "choices": DAYS,
            "health": health,
            "total": health.total,
            "chart": _chart(health),
            "reasons": REASONS,
            "by_reason": sorted(health.total.dropped.items(), key=lambda each: -each[1]),
            "by_field": sorted(health.total.fields_dropped.items(), key=lambda each: -each[1]),
            "base_url": visit.base_url,
        },
    )


def _chart(health: Health) -> dict[str, Any]:
    return {
        "kind": "stacked",
        "unit": "count",
        "summary": "Calls reported and lost by day. The tables on this page have the sums.",
        "x": [
            {"label": f"{date.fromisoformat(day):%-d %b}", "full": day} for day, _ in health.by_day
        ],
        "series": [
            {"name": "reported", "values": [day.sent for _, day in health.by_day]},
            {"name": "lost", "values": [day.dropped_events for _, day in health.by_day]},
        ],
    }


ROUTES = [sdk]
