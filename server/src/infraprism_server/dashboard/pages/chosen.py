"""Which calls a filter chooses, in words: beside what was made of them."""

from __future__ import annotations

from infraprism_server.clock import from_us
from infraprism_server.dashboard.frame import Visit
from infraprism_server.event_store.contract import EventFilter


def chosen_words(visit: Visit, where: EventFilter) -> list[tuple[str, str]]:
    """Pairs such as ("model", "gpt-4o"); days where the edges are midnights of the account."""
    told = [
        ("from", _edge(visit, where.start_us, end=False)),
        ("to", _edge(visit, where.end_us, end=True)),
        ("provider", where.provider),
        ("model", where.model),
        ("type", where.entity_type),
        ("id", where.entity_id),
        ("session", where.session_id),
        ("calls", None if where.success is None else _OUTCOMES[where.success]),
        *((f"tag {key}", value) for key, value in where.tags),
    ]
    return [(what, which) for what, which in told if which is not None]


_OUTCOMES = {True: "that succeeded", False: "that failed"}


def _edge(visit: Visit, instant_us: int | None, *, end: bool) -> str | None:
    if instant_us is None:
        return None
    moment = from_us(instant_us).astimezone(visit.zone)
    if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        return f"{moment:%-d %b %Y %H:%M}"
    last = from_us(instant_us - 1).astimezone(visit.zone) if end else moment
    return f"{last:%-d %b %Y}"
