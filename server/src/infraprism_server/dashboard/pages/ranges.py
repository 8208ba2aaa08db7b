"""The span that an address names, on every page that has a range."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.dashboard.frame import Visit
from infraprism_server.dashboard.series import SHOWN
from infraprism_server.dashboard.span import DEFAULT, Span, span_of
from infraprism_server.usage.service import UsageAnswer


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


def before_of(
    visit: Visit,
    span: Span,
    only: frozenset[str] = SHOWN,
    **parts: Any,  # noqa: ANN401
) -> UsageAnswer:
    """Sums over the span before, up to half a minute old: what a page compares with."""
    question = span.question_before(**parts)
    key = (visit.account.number, "before", only, msgspec.json.encode(question))
    return visit.dashboard.recent.get(
        key, lambda: visit.dashboard.usage.sum(visit.account.number, question, 0, only)
    )
