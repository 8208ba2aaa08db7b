"""Exact sums of a book's periods, from the event store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from infraprism_server.event_store.contract import (
    EventFilter,
    EventStore,
    GroupField,
    UsagePage,
    UsageQuery,
)
from infraprism_server.limits.limit import EACH, Entity, Spent
from infraprism_server.limits.tally import Row

_BY: Final[tuple[GroupField, ...]] = ("entity_type", "entity_id")
_ALL_ROWS: Final = 100_000_000
_LIMITED: Final = frozenset({"input_tokens", "output_tokens", "events", "unpriced_events"})


def read(
    events: EventStore,
    account: int,
    edges: Sequence[int],
    whom: Entity | None,
    mark: Callable[[], None],
) -> list[Row]:
    """What each entity spent in each period between the edges; one entity, one type or all.

    `mark` is called where the read stands among the commits (see the event store's contract).
    """
    where = EventFilter(
        account=account,
        entity_type=None if whom is None else whom.type,
        entity_id=None if whom is None or whom.id == EACH else whom.id,
    )
    query = UsageQuery(
        filter=where, bounds_us=tuple(edges), group_by=_BY, limit=_ALL_ROWS, only=_LIMITED
    )
    return rows_of(events.usage_between_commits(query, mark), edges)


def rows_of(page: UsagePage, edges: Sequence[int]) -> list[Row]:
    """The sums of a page that is grouped by entity; events without one are nobody's."""
    rows = []
    for row in page.rows:
        kind, name = row.group or (None, None)
        if not isinstance(kind, str) or not isinstance(name, str):
            continue
        sums = row.sums
        spent = Spent(
            cost_pico=sums.cost_pico,
            tokens=sums.input_tokens + sums.output_tokens,
            requests=sums.events,
            unpriced=sums.unpriced_events,
        )
        rows.append(Row(edges[row.bucket], Entity(kind, name), spent))
    return rows
