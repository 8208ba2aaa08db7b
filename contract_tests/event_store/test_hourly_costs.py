"""Hourly costs as columns: every store answers what adding up its events does."""

from __future__ import annotations

from collections import defaultdict

import pytest

from contract_tests.event_store.samples import MIDNIGHT, event
from infraprism_server.clock import MICROSECONDS_PER_HOUR as HOUR
from infraprism_server.event_store.contract import Event, EventStore

Cells = dict[tuple[str, int], tuple[int, int]]


def some_events() -> list[Event]:
    return [
        event(
            number,
            timestamp_us=MIDNIGHT + number * HOUR // 3,
            entity_type=None if number % 7 == 0 else "customer",
            entity_id=None if number % 7 == 0 else f"c{number % 5}",
            cost_pico=number * 1_000_003,
        )
        for number in range(200)
    ]


def cells_of(
    store: EventStore,
    account: int,
    *,
    at_least: int = 0,
    entities: int = 2,
    hours: tuple[int, int] = (0, 48),
) -> Cells:
    """Every page together: (entity, hour) to (cost, events); of hours after midnight."""
    cells: Cells = {}
    page: int | None = 0
    while page is not None:
        found = store.hourly_costs(
            account,
            MIDNIGHT + hours[0] * HOUR,
            MIDNIGHT + hours[1] * HOUR,
            at_least_pico=at_least,
            page=page,
            entities=entities,
        )
        assert len(found.entities) == len(found.first_seen_us) <= entities
        rows = zip(found.entity, found.hour, found.cost_pico, found.events, strict=True)
        for entity, hour, cost, events in rows:
            key = (found.entities[entity][1], int(hour))
            assert key not in cells
            cells[key] = (int(cost), int(events))
        page = found.next_page
    return cells


def expected(events: list[Event], *, at_least: int = 0, hours: tuple[int, int] = (0, 48)) -> Cells:
    cells: Cells = defaultdict(lambda: (0, 0))
    totals: dict[str, int] = defaultdict(int)
    for one in events:
        after = one.timestamp_us - MIDNIGHT
        if one.entity_id is not None and hours[0] * HOUR <= after < hours[1] * HOUR:
            cost, count = cells[one.entity_id, one.timestamp_us // HOUR]
            cells[one.entity_id, one.timestamp_us // HOUR] = (cost + one.cost_pico, count + 1)
            totals[one.entity_id] += one.cost_pico
    return {key: cell for key, cell in cells.items() if totals[key[0]] >= at_least}


def test_hours_of_entities_add_up(store: EventStore, next_account) -> None:
    account, other = next(next_account), next(next_account)
    events = some_events()
    store.append(account, events).result()
    store.append(other, [event(999, entity_id="c1", timestamp_us=MIDNIGHT)]).result()
    assert cells_of(store, account) == expected(events)
    assert cells_of(store, account, entities=100) == expected(events)


def test_only_entities_that_cost_enough(store: EventStore, account: int) -> None:
    events = some_events()
    store.append(account, events).result()
    totals = sorted(
        {
            sum(cost for (n, _), (cost, _) in expected(events).items() if n == name)
            for name, _ in expected(events)
        }
    )
    limit = totals[2]
    assert cells_of(store, account, at_least=limit) == expected(events, at_least=limit)
    assert 0 < len({name for name, _ in cells_of(store, account, at_least=limit)}) < 5


@pytest.mark.parametrize("hours", [(5, 53), (23, 25), (-24, 200)])
@pytest.mark.parametrize("times", [1, 5])
def test_any_hours_of_those_that_cost_enough_in_them(
    store: EventStore, account: int, hours: tuple[int, int], times: int
) -> None:
    """What lies outside of the range counts for nobody; some of it is sums already, some not."""
    events = some_events()
    for start in range(0, 200, 200 // times):
        store.append(account, events[start : start + 200 // times]).result()
    every = expected(events, hours=hours)
    totals = sorted(
        sum(cost for (n, _), (cost, _) in every.items() if n == name) for name, _ in every
    )
    for at_least in (0, totals[0], totals[len(totals) // 2] + 1, totals[-1], totals[-1] + 1):
        wanted = expected(events, at_least=at_least, hours=hours)
        assert cells_of(store, account, at_least=at_least, hours=hours) == wanted


def test_first_seen_is_of_all_time(store: EventStore, account: int) -> None:
    early = event(1, timestamp_us=MIDNIGHT - 100 * HOUR)
    store.append(account, [early, event(2, timestamp_us=MIDNIGHT + HOUR)]).result()
    found = store.hourly_costs(account, MIDNIGHT, MIDNIGHT + 2 * HOUR)
    assert found.entities == [("customer", "acme")]
    assert found.first_seen_us == [early.timestamp_us]
    assert list(found.hour) == [MIDNIGHT // HOUR + 1]


def test_nobody_is_an_empty_page(store: EventStore, account: int) -> None:
    found = store.hourly_costs(account, MIDNIGHT, MIDNIGHT + HOUR)
    assert (found.entities, len(found.hour), found.next_page) == ([], 0, None)
