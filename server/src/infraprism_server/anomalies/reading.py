"""From the event store to histories: every entity's hours, and the account's own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from infraprism_server.anomalies.history import Floats, History
from infraprism_server.anomalies.store import AnomalyRow, PlannedRow
from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import EventFilter, EventStore, UsageQuery
from infraprism_server.event_store.sums import COST

Name = tuple[str, str]
TOTAL: Name = ("", "")
"""The account itself, as a series beside its entities."""
PAGE_ENTITIES = 8_192


class Series(msgspec.Struct, frozen=True):
    """A history and whose columns it has."""

    names: list[Name]
    history: History
    exact_pico: list[int] = []
    """Of one entity read alone its hours' costs as whole numbers: what may be told."""


def read_all(
    store: EventStore, account: int, first_hour: int, end_hour: int, at_least_pico: int
) -> Iterator[Series]:
    """The account's entities that cost enough to matter, some thousand a time, then its total.

    The total is read first: what it shows, the entities that are read after it show as well, so
    that a call in between is told of its entity and not of the account.
    """
    total = read_one(store, account, TOTAL, first_hour, end_hour)
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
    yield total


def read_one(store: EventStore, account: int, name: Name, first_hour: int, end_hour: int) -> Series:
    """One entity, or the account's total."""
    where = EventFilter(account=account)
    if name != TOTAL:
        where = EventFilter(account=account, entity_type=name[0], entity_id=name[1])
    bounds = tuple(hour * MICROSECONDS_PER_HOUR for hour in range(first_hour, end_hour + 1))
    page = store.usage(
        UsageQuery(filter=where, bounds_us=bounds, limit=len(bounds), only=COST | {"events"})
    )
    exact_pico = [0] * (end_hour - first_hour)
    for row in page.rows:
        exact_pico[row.bucket] = row.sums.cost_pico
    cost: Floats = np.array(exact_pico, dtype=np.float64)[:, None]
    calls = np.array([page.totals.events], dtype=np.float64)
    first_us = _first_seen_us(store, account, name)
    known_from = end_hour if first_us is None else first_us // MICROSECONDS_PER_HOUR
    history = History(first_hour, cost, calls, np.array([known_from]))
    return Series([name], history, exact_pico)


def _first_seen_us(store: EventStore, account: int, name: Name) -> int | None:
    if name == TOTAL:
        extent = store.find_extent(account)
        return None if extent is None else extent[0]
    found = store.find_entity(account, *name)
    return None if found is None else found.first_seen_us


def forget(history: History, column: int, row: AnomalyRow) -> None:
    """Learn nothing from an episode, unless it was expected or became the new normal."""
    episode = row.episode
    if row.kind != "spike" or row.status == "expected":
        return
    if episode.new_normal:
        history.take_back(column, episode.start_hour, episode.end_hour)
    else:
        history.leave_out(column, episode.start_hour, episode.end_hour)


def forget_planned(history: History, column: int, name: Name, plan: PlannedRow) -> None:
    """Learn nothing from planned activity of the entity, or of everyone."""
    if covers(plan, name):
        history.leave_out(
            column,
            plan.start_us // MICROSECONDS_PER_HOUR,
            -(-plan.end_us // MICROSECONDS_PER_HOUR),
        )


def covers(plan: PlannedRow, name: Name) -> bool:
    return (plan.entity_type, plan.entity_id) in (TOTAL, name)
