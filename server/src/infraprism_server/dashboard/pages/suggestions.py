"""What a person can choose from: tag keys and names that recent calls had."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from infraprism_server.clock import MICROSECONDS_PER_MINUTE
from infraprism_server.dashboard.frame import Visit
from infraprism_server.event_store.contract import Event, EventFilter

LOOKED_AT = 200
RENEWED_WITHIN_US = 10 * MICROSECONDS_PER_MINUTE
"""Nobody waits for a form to suggest what came in the last half minute."""


class Suggestions(NamedTuple):
    """Each list sorted, without repeats."""

    tag_keys: list[str]
    models: list[str]
    providers: list[str]
    entity_types: list[str]


def suggestions(visit: Visit) -> Suggestions:
    """From the newest 200 calls: cheap, and what is in use now."""
    key = (visit.account.number, "suggestions")
    return visit.dashboard.recent.get(
        key, lambda: _newest(visit), renewed_within_us=RENEWED_WITHIN_US
    )


def _newest(visit: Visit) -> Suggestions:
    where = EventFilter(account=visit.account.number)
    events = visit.dashboard.events.page(where, LOOKED_AT, 0, None).events
    return Suggestions(
        tag_keys=sorted({key for event in events for key in tags_of(event)}),
        models=sorted({event.model for event in events}),
        providers=sorted({event.provider for event in events}),
        entity_types=sorted({event.entity_type for event in events if event.entity_type}),
    )


def tags_of(event: Event) -> dict[str, str]:
    """An event's tags; none is an empty dict."""
    return msgspec.json.decode(event.tags, type=dict[str, str]) if event.tags else {}
