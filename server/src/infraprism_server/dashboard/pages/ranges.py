"""The span that an address names, on every page that has a range."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from infraprism_server.dashboard.frame import Visit
from infraprism_server.dashboard.span import DEFAULT, Span, span_of


def span_in(visit: Visit, zone: ZoneInfo | None = None, default: str = DEFAULT) -> Span:
    """From `range`, or `start` and `end`, in the account's time zone or another."""
    return span_of(
        visit.query("range"),
        visit.query("start"),
        visit.query("end"),
        zone=zone or visit.zone,
        now_us=visit.now_us,
        default=default,
    )
