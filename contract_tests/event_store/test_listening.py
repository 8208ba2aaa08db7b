"""Listeners, and sums with a known place among the commits they are told of."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import wait

import pytest

from contract_tests.event_store.engines import Opener
from contract_tests.event_store.samples import NOON, event, native_id
from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.event_store.contract import (
    CostChange,
    Event,
    EventFilter,
    EventStore,
    Outcome,
    UsageQuery,
)


class Ear:
    """Remembers what it was told, in order."""

    def __init__(self, account: int) -> None:
        self.account = account
        self.heard: list[tuple[Sequence[Event], Sequence[Outcome]] | str] = []

    def __call__(self, account: int, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        if account == self.account:
            self.heard.append((events, outcomes))


def query(account: int) -> UsageQuery:
    return UsageQuery(
        filter=EventFilter(account=account),
        bounds_us=(NOON - MICROSECONDS_PER_DAY, NOON + 400 * MICROSECONDS_PER_DAY),
    )


def test_a_commit_is_told_with_its_outcomes_before_it_is_answered(
    store: EventStore, account: int
) -> None:
    ear = Ear(account)
    store.listen(ear)
    batch = [event(0), event(0), event(1, id=native_id(0))]
    future = store.append(account, batch)
    outcomes = future.result(10)
    assert ear.heard == [(batch, outcomes)]
    assert outcomes == [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT]


def test_changed_costs_are_told_without_events(store: EventStore, account: int) -> None:
    store.append(account, [event(0)]).result(10)
    ear = Ear(account)
    store.listen(ear)
    change = CostChange(native_id(0), 7, "computed", None, 1)
    assert store.reprice(account, [change]).result(10) == 1
    assert ear.heard == [((), ())]


def test_a_marked_sum_holds_what_was_told_before_its_mark_and_nothing_else(
    store: EventStore, account: int
) -> None:
    """While four threads append, every marked read equals what had been heard at its mark."""
    ear = Ear(account)
    store.listen(ear)
    stop = threading.Event()

    def write(part: int) -> None:
        number = 0
        while not stop.is_set():
            numbers = range(number, number + 5)
            store.append(
                account, [event(each * 4 + part, entity_id=f"e{part}") for each in numbers]
            ).result(10)
            number += 5

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    try:
        sums = [
            store.usage_between_commits(
                query(account), lambda number=number: ear.heard.append(f"mark {number}")
            ).totals.events
            for number in range(25)
        ]
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    told = 0
    at_mark = []
    for each in ear.heard:
        if isinstance(each, str):
            at_mark.append(told)
        else:
            told += sum(outcome is Outcome.ACCEPTED for outcome in each[1])
    assert sums == at_mark
    assert len(set(sums)) > 5, "it is only a test while others write"


def test_a_marked_sum_of_nothing_is_marked_too(store: EventStore, account: int) -> None:
    marks: list[int] = []
    page = store.usage_between_commits(query(account), lambda: marks.append(1))
    assert (page.totals.events, marks) == (0, [1])


def test_listeners_hear_every_batch_of_a_shared_commit(
    open_engine: Opener, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = open_engine(tmp_path_factory.mktemp("shared"))
    ears = [Ear(account) for account in (1, 2, 3)]
    for ear in ears:
        store.listen(ear)
    wait([store.append(ear.account, [event(7)]) for ear in ears], 10)
    assert [len(ear.heard) for ear in ears] == [1, 1, 1]
    store.close(10)
