"""Repricing against a real event store: the dry run, the change, the kill in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from infraprism_server.background.jobs import LEASE_SECONDS, JobQueue
from infraprism_server.background.worker import JobRun, Worker
from infraprism_server.clock import FixedClock
from infraprism_server.errors import NotFound
from infraprism_server.event_store.contract import CostChange, EventFilter, EventStore
from infraprism_server.event_store.duckdb.store import open_event_store
from infraprism_server.pricing.answers import repricing_result_out
from infraprism_server.pricing.repricing import KIND, Counting, Tally
from infraprism_server.pricing.schemas import PriceOverrideIn, RepricingIn
from infraprism_server.pricing.service import PricingService
from infraprism_server.pricing.tasks import CHUNK_EVENTS, pricing_tasks

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OWN = PriceOverrideIn(
    provider="vllm",
    model="own",
    input_usd_per_million=Decimal(1),
    output_usd_per_million=Decimal(2),
)
OWN_COST_PICO = 1_200_000_000


@pytest.fixture
def store(tmp_path: Path, clock) -> Iterator[EventStore]:
    store = open_event_store(tmp_path, instance_id="test", clock=clock)
    yield store
    store.close(5)


@pytest.fixture
def queue(engine, clock) -> JobQueue:
    return JobQueue(engine, clock)


def run(queue: JobQueue, pricing: PricingService, store: EventStore) -> None:
    assert Worker(queue, pricing_tasks(pricing, store)).run_due() >= 1


def stored(store: EventStore, account: int = 1) -> list:
    return store.scan_events(EventFilter(account=account), limit=100_000)


def fill(pricing, store, call) -> None:
    """Three unpriced calls of two customers, one reported, one computed, one of another account."""
    own = {"provider": "vllm", "model": "own"}
    events = [
        call(**own, entity_type="customer", entity_id="a"),
        call(**own, entity_type="customer", entity_id="a", input_tokens=2_000),
        call(**own, entity_type="customer", entity_id="b"),
        call(**own, cost_source="reported", cost_pico=7),
        call(),
    ]
    store.append(1, [pricing.price(1, each) for each in events]).result(10)
    store.append(2, [pricing.price(2, call(**own))]).result(10)


def test_a_dry_run_shows_the_difference_per_entity_and_changes_nothing(pricing, store, queue, call):
    fill(pricing, store, call)
    before = stored(store)
    pricing.create_override(1, OWN)
    started = pricing.start_repricing(1, RepricingIn(dry_run=True), None, None)
    assert started.status == "queued"
    run(queue, pricing, store)
    done = pricing.get_repricing(1, started.id)
    assert (done.status, done.events_done, done.events_total) == ("completed", 3, 3)
    assert stored(store) == before
    result = done.result
    assert result is not None
    assert (result.changed_events, result.newly_priced_events) == (3, 3)
    assert result.difference_usd.pico == 3 * OWN_COST_PICO + 1_000 * 1_000_000
    shown = [(one.entity_id, one.events, one.difference_usd.pico) for one in result.entities]
    assert shown == [("a", 2, 3_400_000_000), ("b", 1, OWN_COST_PICO)]
    assert result.other_entities.events == 0


def test_a_repricing_gives_unpriced_events_their_cost_and_touches_nothing_else(
    pricing, store, queue, call
):
    fill(pricing, store, call)
    before = {event.id: event for event in stored(store)}
    pricing.create_override(1, OWN)
    started = pricing.start_repricing(1, RepricingIn(dry_run=False), None, None)
    run(queue, pricing, store)
    assert pricing.get_repricing(1, started.id).status == "completed"
    changed = [event for event in stored(store) if event != before[event.id]]
    assert len(changed) == 3
    for event in changed:
        assert event.cost_source == "computed"
        explained = pricing.explain(event)
        assert sum(line.cost_usd.pico for line in explained.lines) == event.cost_pico
    assert store.list_unpriced(1) == []
    assert [event.cost_source for event in stored(store, 2)] == ["unpriced"]
    again = pricing.start_repricing(1, RepricingIn(dry_run=False, only="all"), None, None)
    run(queue, pricing, store)
    result = pricing.get_repricing(1, again.id).result
    assert result is not None
    assert (result.events, result.changed_events) == (5, 0)


def test_all_follows_a_price_that_changed_but_never_loses_one(pricing, store, queue, call):
    fill(pricing, store, call)
    added = pricing.create_override(1, OWN)
    pricing.start_repricing(1, RepricingIn(dry_run=False), None, None)
    run(queue, pricing, store)
    pricing.delete_override(1, added.id)
    pricing.create_override(
        1,
        PriceOverrideIn(provider="openai", match="provider", discount_percent=Decimal(50)),
    )
    kept = pricing.start_repricing(1, RepricingIn(dry_run=False, only="all"), None, None)
    run(queue, pricing, store)
    result = pricing.get_repricing(1, kept.id).result
    assert result is not None
    assert (result.changed_events, result.still_unpriced_events) == (1, 0)
    assert result.difference_usd.pico == -1_750_000_000
    assert sorted(event.cost_pico for event in stored(store))[:2] == [7, OWN_COST_PICO]


def test_the_filters_restrict_what_is_priced_again(pricing, store, queue, call):
    fill(pricing, store, call)
    pricing.create_override(1, OWN)
    wanted = RepricingIn(dry_run=False, entity_type="customer", entity_id="b")
    pricing.start_repricing(1, wanted, None, None)
    run(queue, pricing, store)
    assert [(model.model, model.events) for model in store.list_unpriced(1)] == [("own", 2)]


def test_another_accounts_repricing_is_not_found(pricing):
    started = pricing.start_repricing(1, RepricingIn(), None, None)
    with pytest.raises(NotFound):
        pricing.get_repricing(2, started.id)


class KilledError(BaseException):
    """The process is gone: nothing after it runs, no state is cleaned up."""


class DyingRun(JobRun):
    """A run whose process is killed at its n-th save, before or after it is written."""

    def __init__(self, job, queue, stopping, *, dies_at: int, written: bool) -> None:
        super().__init__(job, queue, stopping)
        self._left = dies_at
        self._written = written

    def save(self, progress: msgspec.Struct) -> None:
        self._left -= 1
        if self._left == 0 and not self._written:
            raise KilledError
        super().save(progress)
        if self._left == 0:
            raise KilledError


@pytest.fixture(params=[(save, written) for save in (1, 2, 3, 4, 5) for written in (False, True)])
def death(request) -> dict[str, int | bool]:
    """At which save the process is killed, and whether that save was still written."""
    return dict(zip(("dies_at", "written"), request.param, strict=True))


def test_a_killed_repricing_goes_on_and_counts_every_event_once(
    engine, pricing, store, call, death
):
    queue = JobQueue(engine, FixedClock(NOW))
    events = [call(provider="vllm", model="own", session_id=str(i)) for i in range(5_000)]
    assert len(events) > 2 * CHUNK_EVENTS
    store.append(1, [pricing.price(1, each) for each in events]).result(30)
    pricing.create_override(1, OWN)
    started = pricing.start_repricing(1, RepricingIn(dry_run=False), None, None)
    job = queue.lease([KIND], "killed")
    assert job is not None
    dying = DyingRun(job, queue, threading.Event(), **death)
    with pytest.raises(KilledError):
        pricing_tasks(pricing, store)[KIND](dying)
    assert queue.lease([KIND], "other") is None
    later = FixedClock(NOW + timedelta(seconds=LEASE_SECONDS + 1))
    run(JobQueue(engine, later), pricing, store)
    done = pricing.get_repricing(1, started.id)
    assert done.result is not None
    assert (done.events_done, done.result.changed_events) == (5_000, 5_000)
    assert done.result.difference_usd.pico == 5_000 * OWN_COST_PICO
    assert {event.cost_pico for event in stored(store)} == {OWN_COST_PICO}


def test_more_entities_than_are_shown_are_summed_together(call):
    counting = Counting(Tally())
    for number in range(6_000):
        event = call(entity_type="customer", entity_id=str(number))
        counting.add(
            event, CostChange(event.id, number, "computed", None, None), still_unpriced=False
        )
    result = repricing_result_out(counting.tally)
    assert len(result.entities) == 1_000
    shown = sum(one.difference_usd.pico for one in result.entities)
    assert shown + result.other_entities.difference_usd.pico == sum(range(6_000))
    assert result.difference_usd.pico == sum(range(6_000))
    assert result.other_entities.events == 5_000
