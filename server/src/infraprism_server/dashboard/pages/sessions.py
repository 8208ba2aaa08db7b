"""Sessions: what a conversation costs, how long it is, and which were the dearest."""

from __future__ import annotations

from typing import NamedTuple

from infraprism_server.dashboard.frame import Page, Visit, page
from infraprism_server.dashboard.pages.ranges import span_in
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.dashboard.render import link
from infraprism_server.dashboard.series import SHOWN
from infraprism_server.dashboard.span import PRESETS
from infraprism_server.event_store.sums import Sums
from infraprism_server.money import divide_half_even

LOOKED_AT = 1_000
"""The dearest sessions of the span; what the numbers above the table are made of."""


class SessionLine(NamedTuple):
    """A conversation of one entity."""

    id: str
    entity_type: str | None
    entity_id: str | None
    sums: Sums


@page("/sessions")
def sessions(visit: Visit) -> Page:
    span = span_in(visit)
    offset = offset_of(visit.query("offset"))
    if not visit.is_partial:
        # The calls themselves are read: the page is shown before its numbers are.
        here = link("/sessions", **span.address, offset=offset or None)
        return Page(
            template="sessions.html",
            context={"span": span, "presets": PRESETS, "waits": True, "here": here},
        )
    question = span.question(group_by=["session_id", "entity_type", "entity_id"], limit=LOOKED_AT)
    answer = visit.dashboard.usage.sum(visit.account.number, question, 0, SHOWN)
    found = [
        SessionLine(str(row.group[0]), _text(row.group[1]), _text(row.group[2]), row.sums)
        for row in answer.page.rows
        if row.group and row.group[0] is not None
    ]
    shown = found[offset : offset + PAGE_ROWS]
    spent = sum(line.sums.cost_pico for line in found)
    turns = sum(line.sums.events for line in found)
    costs = sorted(line.sums.cost_pico for line in found)
    return Page(
        template="sessions.html",
        context={
            "span": span,
            "presets": PRESETS,
            "waits": False,
            "shown": shown,
            "count": len(found),
            "cut": answer.page.total > LOOKED_AT,
            "mean_pico": divide_half_even(spent, len(found)) if found else 0,
            "median_pico": costs[len(costs) // 2] if costs else 0,
            "dearest_pico": costs[-1] if costs else 0,
            "turns": divide_half_even(10 * turns, len(found)) if found else 0,
            "names": visit.dashboard.entities.names(
                visit.account.number,
                {
                    (line.entity_type, line.entity_id)
                    for line in shown
                    if line.entity_type is not None and line.entity_id is not None
                },
            ),
            "pages": pages_of("/sessions", dict(span.address), offset, len(shown), len(found)),
        },
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


ROUTES = [sessions]
