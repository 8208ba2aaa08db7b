"""Appending: what counts, what is a duplicate, what is a conflict, what a reader sees."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from contract_tests.event_store.engines import Opener
from contract_tests.event_store.samples import MAX_COUNT, NOON, event, native_id
from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.errors import InvalidRequest, Unavailable
from infraprism_server.event_store.contract import (
    CONTENT_FIELDS,
    CostChange,
    Event,
    EventFilter,
    EventStore,
    Outcome,
    UsageQuery,
)

ACCEPTED, DUPLICATE, CONFLICT = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT

_OTHER: dict[str, Any] = {
    "timestamp_us": NOON + 1,
    "provider": "anthropic",
    "model": "gpt-4o-mini",
    "service_tier": "batch",
    "latency_ms": 0,
    "entity_type": "team",
    "entity_id": "other",
    "session_id": "",
    "tags": '{"env":"prod"}',
    "success": False,
    "error_type": "rate_limit",
    "error_code": "429",
}


def total(store: EventStore, account: int) -> int:
    return store.list_events(EventFilter(account=account), limit=1).total


def test_every_field_comes_back(store: EventStore, account: int) -> None:
    """An event is given back exactly as it was appended."""
    full = Event(
        id="order/1é",
        timestamp_us=NOON + 123_456,
        provider="anthropic",
        model="claude",
        **{name: number for number, name in enumerate(CONTENT_FIELDS[3:12], start=1)},
        service_tier="priority",
        latency_ms=MAX_COUNT,
        entity_type="project",
        entity_id="a/b\x00ü",
        session_id="s",
        tags='{"a\\"b":"","env":"prod"}',
        success=False,
        error_type="server_error",
        error_code="500",
        cost_pico=10**18,
        cost_source="reported",
        computed_cost_pico=7,
        rate_id=2**40,
    )
    bare = Event(id=native_id(1), timestamp_us=NOON, provider="openai", model="gpt-4o")
    assert store.append(account, [full, bare]).result(10) == [ACCEPTED, ACCEPTED]
    assert store.find_event(account, full.id) == full
    assert store.find_event(account, bare.id) == bare
    assert store.find_event(account, native_id(2)) is None


def test_an_empty_batch_is_answered(store: EventStore, account: int) -> None:
    """No events, no outcomes, no entry in any account."""
    assert store.append(account, []).result(10) == []


@pytest.mark.parametrize("event_id", [native_id(5), "foreign-5"])
def test_an_id_counts_once(store: EventStore, account: int, event_id: str) -> None:
    """In one batch, in the next, in a hundred."""
    first = event(5, id=event_id)
    assert store.append(account, [first, first, event(6)]).result(10) == [
        ACCEPTED,
        DUPLICATE,
        ACCEPTED,
    ]
    for _ in range(10):
        assert store.append(account, [first]).result(10) == [DUPLICATE]
    assert total(store, account) == 2


@pytest.mark.parametrize("field", CONTENT_FIELDS)
def test_other_content_is_a_conflict(store: EventStore, account: int, field: str) -> None:
    """Any content field that differs makes a conflict, and the first stays."""
    first = event(1, id="one")
    other = msgspec.structs.replace(first, **{field: _OTHER.get(field, 12_345)})
    assert store.append(account, [first, other]).result(10) == [ACCEPTED, CONFLICT]
    assert store.append(account, [other, first]).result(10) == [CONFLICT, DUPLICATE]
    assert store.find_event(account, "one") == first


def test_a_new_price_is_not_other_content(store: EventStore, account: int) -> None:
    """Costs count as content only where the client reported them."""
    first = event(1)
    dearer = msgspec.structs.replace(first, cost_pico=9, rate_id=7, cost_source="unpriced")
    assert store.append(account, [first]).result(10) == [ACCEPTED]
    assert store.append(account, [dearer]).result(10) == [DUPLICATE]
    reported = event(2, cost_source="reported", cost_pico=5, computed_cost_pico=6)
    assert store.append(account, [reported]).result(10) == [ACCEPTED]
    again = [
        msgspec.structs.replace(reported, computed_cost_pico=8),
        msgspec.structs.replace(reported, cost_pico=6),
        msgspec.structs.replace(reported, cost_source="computed", computed_cost_pico=None),
    ]
    assert store.append(account, again).result(10) == [DUPLICATE, CONFLICT, CONFLICT]
    assert store.append(account, [msgspec.structs.replace(first, cost_source="reported")]).result(
        10
    ) == [CONFLICT]
    assert store.find_event(account, first.id) == first


def test_a_new_timestamp_does_not_make_a_new_event(store: EventStore, account: int) -> None:
    """An id is looked for in all of time."""
    first = event(1)
    later = msgspec.structs.replace(first, timestamp_us=NOON + 400 * MICROSECONDS_PER_DAY)
    assert store.append(account, [first]).result(10) == [ACCEPTED]
    assert store.append(account, [later]).result(10) == [CONFLICT]


def test_old_and_new_ids_in_one_batch(store: EventStore, account: int) -> None:
    """Imports beside live traffic: ids of many times, native and foreign, found every time."""
    spread = [
        event(day * 86_400_000, timestamp_us=NOON + day * MICROSECONDS_PER_DAY) for day in range(40)
    ]
    mixed = [*spread, *(event(n, id=f"foreign {n}") for n in range(20))]
    assert store.append(account, mixed).result(10) == [ACCEPTED] * 60
    assert store.append(account, [*mixed[::3], event(7)]).result(10) == [DUPLICATE] * 20 + [
        ACCEPTED
    ]


def test_accounts_do_not_meet(store: EventStore, account: int) -> None:
    """The same id in two accounts is two events, and neither sees or changes the other's."""
    other = account + 1_000_000
    mine, theirs = event(1, entity_id="mine"), event(1, entity_id="theirs", model="claude")
    assert store.append(account, [mine]).result(10) == [ACCEPTED]
    assert store.append(other, [theirs]).result(10) == [ACCEPTED]
    assert store.find_event(account, mine.id) == mine
    assert store.find_event(other, mine.id) == theirs
    assert store.find_entity(account, "customer", "theirs") is None
    change = CostChange(mine.id, 1, "computed", None, 2)
    assert store.reprice(other, [change]).result(10) == 1
    assert store.find_event(account, mine.id) == mine
    query = UsageQuery(filter=EventFilter(account=account), bounds_us=(0, NOON * 2))
    assert store.usage(query).totals.cost_pico == mine.cost_pico


def test_the_same_batch_ten_times_at_once(store: EventStore, account: int) -> None:
    """Each id is accepted by exactly one of ten writers, and no read ever sees it twice."""
    batch = [event(number) for number in range(50)]
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(lambda: store.append(account, batch).result(10)) for _ in range(10)]
        totals = [total(store, account) for _ in range(20)]
        outcomes = [answer.result(10) for answer in answers]
    assert all(earlier <= later for earlier, later in pairwise([*totals, 50]))
    assert total(store, account) == 50
    for number in range(50):
        assert sorted(answer[number] for answer in outcomes) == [ACCEPTED] + [DUPLICATE] * 9


def test_a_done_future_is_visible(store: EventStore, account: int) -> None:
    """A read that starts after the answer sees the events, from any thread."""

    def write_and_count(worker: int) -> bool:
        for number in range(10):
            name = f"{worker}-{number}"
            store.append(account, [event(number, id=name, session_id=name)]).result(10)
            where = EventFilter(account=account, session_id=name)
            if store.list_events(where, limit=1).total != 1:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write_and_count, range(4)))


def test_one_bad_batch_does_not_fail_the_others(store: EventStore, account: int) -> None:
    """A number that no store can hold fails its own batch alone, and nothing of that is stored."""
    batches = [[event(number)] for number in range(5)]
    batches[2].append(event(99, input_tokens=2**70))
    futures = [store.append(account, batch) for batch in batches]
    for place, future in enumerate(futures):
        if place == 2:
            with pytest.raises(InvalidRequest):
                future.result(10)
        else:
            assert future.result(10) == [ACCEPTED]
    assert total(store, account) == 4


def test_repricing_is_exact_and_atomic(store: EventStore, account: int) -> None:
    """Sums follow in the same commit; unknown ids are passed over; the last change counts."""
    batch = [event(number, cost_source="unpriced", cost_pico=0) for number in range(20)]
    store.append(account, batch).result(10)
    changes = [CostChange(e.id, 10 + place, "computed", None, 3) for place, e in enumerate(batch)]
    unknown = CostChange("unknown", 1, "computed", None, 3)
    assert store.reprice(account, [*changes, unknown]).result(10) == 20
    assert store.reprice(account, changes).result(10) == 0
    entity = store.find_entity(account, "customer", "acme")
    assert entity is not None
    assert entity.sums.cost_pico == sum(range(10, 30))
    assert entity.sums.unpriced_events == 0
    assert store.list_unpriced(account) == []
    assert store.append(account, batch).result(10) == [DUPLICATE] * 20


def test_remembered_entities_have_zero_sums(store: EventStore, account: int) -> None:
    """Known before they are seen; seen later, they are the same entity."""
    store.remember_entities(account, [("team", "a/b"), ("customer", "acme")]).result(10)
    entity = store.find_entity(account, "customer", "acme")
    assert entity is not None
    assert (entity.sums.events, entity.first_seen_us, entity.last_seen_us) == (0, None, None)
    store.append(account, [event(1)]).result(10)
    entity = store.find_entity(account, "customer", "acme")
    assert entity is not None
    assert (entity.sums.events, entity.first_seen_us) == (1, NOON + 1_000_000)
    assert store.find_entity(account, "customer", "nobody") is None


def test_all_is_there_after_reopening(open_engine: Opener, tmp_path: Any) -> None:
    """Close finishes what was handed over; another opening finds it, and ids still count once."""
    opened = open_engine(tmp_path)
    batches = [[event(n * 100 + k, tags=f'{{"n":"{n}"}}') for k in range(20)] for n in range(20)]
    futures = [opened.append(1, batch) for batch in batches]
    before = opened.status()
    opened.close(10)
    assert all(future.result(0) == [ACCEPTED] * 20 for future in futures)
    with pytest.raises(Unavailable):
        opened.append(1, [event(1)])
    with pytest.raises(Unavailable):
        total(opened, 1)
    assert not opened.status().healthy
    again = open_engine(tmp_path)
    status = again.status()
    assert (status.events, status.healthy, status.waiting_events) == (400, True, 0)
    assert (status.instance_id, status.schema_version) == (
        before.instance_id,
        before.schema_version,
    )
    assert status.bytes_on_disk > 0
    assert again.append(1, batches[3]).result(10) == [DUPLICATE] * 20
    assert again.find_event(1, batches[7][3].id) == batches[7][3]
    query = UsageQuery(filter=EventFilter(account=1, tags=(("n", "3"),)), bounds_us=(0, NOON * 2))
    assert again.usage(query).totals.events == 20
    entity = again.find_entity(1, "customer", "acme")
    assert entity is not None
    assert entity.sums.events == 400
    again.close(10)
    again.close(10)


def test_too_many_waiting_events_are_refused_at_once(store: EventStore, account: int) -> None:
    """The queue has a bound; who is refused is told when to come back, and nothing is lost."""
    refused: list[Unavailable] = []
    futures = []
    go_on = threading.Event()

    def hold_the_writer(whose: int, *_: object) -> None:
        if whose == account:
            go_on.wait(60)

    store.listen(hold_the_writer)
    for n in range(400):
        batch = [event(n * 1_000 + k, id=f"{n}/{k}") for k in range(1_000)]
        try:
            futures.append((len(batch), store.append(account, batch)))
        except Unavailable as error:
            refused.append(error)
            if len(refused) > 3:
                break
    go_on.set()
    assert {error.retry_after_seconds for error in refused} == {1}
    assert all(future.result(60) == [ACCEPTED] * size for size, future in futures)
    assert total(store, account) == sum(size for size, _ in futures)
