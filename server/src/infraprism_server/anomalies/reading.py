"""From the event store to histories: every entity's hours, and the account's own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from infraprism_server.anomalies.history import Floats, History
from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import EventFilter, EventStore, UsageQuery

Name = tuple[str, str]
TOTAL: Name = ("", "")
"""The account itself, as a series beside its entities."""
PAGE_ENTITIES = 8_192


class Series(msgspec.Struct, frozen=True):
    """A history and whose columns it has."""

    names: list[Name]
    history: History


def read_all(
    store: EventStore, account: int, first_hour: int, end_hour: int, at_least_pico: int
) -> Iterator[Series]:
    """The account's entities that cost enough to matter, some thousand a time, then its total."""
    page: int | None = 0
    while page is not None:
        found = store.hourly_costs(
            account,
            first_hour * MICROSECONDS_PER_HOUR,
            end_hour * MICROSECONDS_PER_HOUR,
            at_least_pico=at_least_pico,
            page=page,
            entities=PAGE_ENTITIES,
        )
        if found.entities:
            cost: Floats = np.zeros((end_hour - first_hour, len(found.entities)))
            cost[found.hour - first_hour, found.entity] = found.cost_pico
            calls = np.bincount(found.entity, found.events, len(found.entities)).astype(np.float64)
            known_from = np.array(found.first_seen_us) // MICROSECONDS_PER_HOUR
            yield Series(found.entities, History(first_hour, cost, calls, known_from))
        page = found.next_page
    yield read_one(store, account, TOTAL, first_hour, end_hour)


def read_one(store: EventStore, account: int, name: Name, first_hour: int, end_hour: int) -> Series:
    """One entity, or the account's total."""
    where = EventFilter(account=account)
    if name != TOTAL:
        where = EventFilter(account=account, entity_type=name[0], entity_id=name[1])
    bounds = tuple(hour * MICROSECONDS_PER_HOUR for hour in range(first_hour, end_hour + 1))
    page = store.usage(UsageQuery(filter=where, bounds_us=bounds, limit=len(bounds)))
    cost: Floats = np.zeros((end_hour - first_hour, 1))
    for row in page.rows:
        cost[row.bucket, 0] = row.sums.cost_pico
    calls = np.array([page.totals.events], dtype=np.float64)
    first_us = _first_seen_us(store, account, name)
    known_from = end_hour if first_us is None else first_us // MICROSECONDS_PER_HOUR
    return Series([name], History(first_hour, cost, calls, np.array([known_from])))


def _first_seen_us(store: EventStore, account: int, name: Name) -> int | None:
    if name == TOTAL:
        extent = store.find_extent(account)
        return None if extent is None else extent[0]
    found = store.find_entity(account, *name)
    return None if found is None else found.first_seen_us
