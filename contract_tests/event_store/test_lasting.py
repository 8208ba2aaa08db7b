"""Deletion, erasure, compaction and backups: exact at any moment, beside ingest, once for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec
import pytest

from contract_tests.event_store.compaction_points import run_points
from contract_tests.event_store.engines import Opener, open_duckdb
from contract_tests.event_store.model import Model
from contract_tests.event_store.samples import NOON, event, native_id
from contract_tests.event_store.test_listening import Ear
from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from infraprism_server.errors import Conflict
from infraprism_server.event_store.contract import (
    CostChange,
    EntityQuery,
    Event,
    EventFilter,
    EventStore,
    Outcome,
    TagKey,
    UsageQuery,
)
from infraprism_server.event_store.duckdb.copying import (
    DICTIONARIES,
    ROLLUPS,
    SESSION_DAYS,
    WITHOUT_TAG_SUMS,
    Copy,
)
from infraprism_server.event_store.duckdb.schema import STEPS

_DAYS = 6
_RANGE = (NOON - 100 * MICROSECONDS_PER_DAY, NOON + 100 * MICROSECONDS_PER_DAY)


def spread(amount: int, *, first: int = 0) -> list[Event]:
    """Events over some days, of a few entities, models and sets of tags."""
    return [
        event(
            number,
            timestamp_us=NOON + number % _DAYS * MICROSECONDS_PER_DAY + number * 1_000_000,
            id=native_id(number) if number % 3 else f"order-{number}",
            entity_id=f"e{number % 7}",
            model=("gpt-4o", "claude")[number % 2],
            tags=f'{{"job":"{number % 5}"}}',
            session_id=f"s{number % 11}",
            cost_pico=1_000 + number,
        )
        for number in range(first, first + amount)
    ]


def ignore(_part: float) -> None:
    """Nobody looks at how far it is."""


def check(store: EventStore, account: int, model: Model) -> None:
    """Every kind of answer equals the model's."""
    where = EventFilter(account=account)
    listed = store.list_events(where, limit=1_000)
    assert (listed.events, listed.total) == model.page(where, 1_000, 0, None)
    for query in (
        UsageQuery(filter=where, bounds_us=_RANGE),
        UsageQuery(filter=where, bounds_us=_RANGE, group_by=("model",)),
        UsageQuery(filter=where, bounds_us=_RANGE, group_by=("entity_id", "model")),
        UsageQuery(filter=where, bounds_us=_RANGE, group_by=(TagKey("job"), "session_id")),
        UsageQuery(filter=where, bounds_us=_RANGE, group_by=(TagKey("job"), "model")),
    ):
        asked = msgspec.structs.replace(query, limit=1_000)
        assert store.usage(asked) == model.usage(asked)
    for more in ({"tags": (("job", "1"),)}, {"session_id": "s3"}, {"success": True}):
        some = msgspec.structs.replace(where, **more)
        listed = store.list_events(some, limit=1_000)
        assert (listed.events, listed.total) == model.page(some, 1_000, 0, None)
    entities = EntityQuery(account=account, sort="first_seen")
    assert store.list_entities(entities) == model.entities(entities)
    assert store.find_extent(account) == model.extent()
    assert store.list_unpriced(account) == model.unpriced()


@contextmanager
def ingesting(store: EventStore, account: int) -> Iterator[list[Event]]:
    """Append small batches all the time; what was acknowledged."""
    stop, acknowledged, wrong = threading.Event(), [], []
    numbers = iter(range(1_000_000, 1_003_000, 10))

    def work() -> None:
        for first in numbers:
            if stop.is_set():
                return
            batch = spread(10, first=first)
            outcomes = store.append(account, batch).result(30)
            if outcomes == [Outcome.ACCEPTED] * 10:
                acknowledged.extend(batch)
            else:
                wrong.append(outcomes)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()
    assert not wrong


def test_deleting_by_time_leaves_exact_answers_after_every_part(
    store: EventStore, account: int
) -> None:
    """Whenever a part is done, sums, entities and lists agree with each other."""
    events = spread(100)
    store.append(account, events).result(10)
    model = Model()
    model.append(events)
    cut = NOON + 3 * MICROSECONDS_PER_DAY + MICROSECONDS_PER_HOUR
    where = EventFilter(account=account)

    def look(_part: float) -> None:
        listed = store.list_events(where, limit=1_000)
        totals = store.usage(UsageQuery(filter=where, bounds_us=_RANGE)).totals
        assert totals.events == listed.total == len(listed.events)
        assert totals.cost_pico == sum(each.cost_pico for each in listed.events)
        seen = min(each.timestamp_us for each in listed.events)
        assert store.find_extent(account) == (seen, max(e.timestamp_us for e in events))

    old = EventFilter(account=account, end_us=cut)
    assert store.delete_events(old, look) == model.delete(old) > 0
    check(store, account, model)
    assert store.delete_events(old, ignore) == 0


def test_only_the_account_that_was_named_loses_anything(
    store: EventStore, next_account: Iterator[int]
) -> None:
    mine, other = next(next_account), next(next_account)
    model = Model()
    for each in (mine, other):
        store.append(each, spread(60)).result(10)
    model.append(spread(60))
    store.delete_events(EventFilter(account=mine), ignore)
    store.forget_names(mine, [])
    check(store, mine, Model())
    check(store, other, model)
    assert store.forget_names(other, []) == 0
    check(store, other, model)


def test_a_deleted_id_may_come_again_and_a_kept_one_still_counts_once(
    store: EventStore, account: int
) -> None:
    events = spread(40)
    store.append(account, events).result(10)
    gone = EventFilter(account=account, entity_type="customer", entity_id="e1")
    deleted = store.delete_events(gone, ignore)
    again = store.append(account, events).result(10)
    assert again.count(Outcome.ACCEPTED) == deleted > 0
    assert again.count(Outcome.DUPLICATE) == len(events) - deleted


def test_listeners_hear_that_sums_are_others(store: EventStore, account: int) -> None:
    store.append(account, spread(20)).result(10)
    ear = Ear(account)
    store.listen(ear)
    store.delete_events(EventFilter(account=account), ignore)
    assert set(map(str, ear.heard)) == {"((), ())"}


def test_forgotten_entities_are_not_listed_and_come_back_when_seen(
    store: EventStore, account: int
) -> None:
    """Kept names stay; one that is seen again has its own sums and nothing of before."""
    events = spread(70)
    store.append(account, events).result(10)
    store.delete_events(EventFilter(account=account), ignore)
    assert store.forget_names(account, [("customer", "e2")]) == 6
    page = store.list_entities(EntityQuery(account=account))
    assert [each.entity_id for each in page.entities] == ["e2"]
    model = Model()
    model.append(events[:30])
    store.append(account, events[:30]).result(10)
    check(store, account, model)


def test_a_renamed_entity_keeps_its_sums_and_its_old_name_is_free(
    store: EventStore, account: int
) -> None:
    events = spread(30)
    store.append(account, events).result(10)
    model = Model()
    model.append(events)
    assert store.rename_entity(account, "customer", "e3", "erased-1").result(10)
    assert model.rename("customer", "e3", "erased-1")
    check(store, account, model)
    assert not store.rename_entity(account, "customer", "e3", "erased-2").result(10)
    with pytest.raises(Conflict):
        store.rename_entity(account, "customer", "e4", "erased-1").result(10)
    later = spread(10, first=500)
    model.append(later)
    store.append(account, later).result(10)
    check(store, account, model)


def test_what_tell_raises_ends_a_deletion_after_a_part(store: EventStore, account: int) -> None:
    """And the next call does the rest."""
    store.append(account, spread(60)).result(10)

    def stop(_part: float) -> None:
        raise InterruptedError

    where = EventFilter(account=account)
    with pytest.raises(InterruptedError):
        store.delete_events(where, stop)
    left = store.list_events(where, limit=1).total
    assert left < 60
    assert store.delete_events(where, ignore) == left


def test_compaction_beside_ingest_loses_nothing_and_doubles_nothing(
    open_engine: Opener, tmp_path: Path
) -> None:
    """What is appended meanwhile is there, ids count once, and the space has come back."""
    store = open_engine(tmp_path)
    model = Model()
    for first in range(0, 400, 100):
        events = spread(100, first=first)
        model.append(events)
        store.append(1, events).result(10)
    gone = EventFilter(account=1, entity_type="customer", entity_id="e1")
    assert store.delete_events(gone, ignore) == model.delete(gone)
    told: list[float] = []
    with ingesting(store, 1) as acknowledged:
        compacted = store.compact(told.append)
        assert compacted.bytes_after > 0
    model.append(acknowledged)
    assert acknowledged
    assert told[-1] == 1.0
    check(store, 1, model)
    assert set(store.append(1, acknowledged).result(10)) == {Outcome.DUPLICATE}
    change = CostChange(native_id(2), 5, "computed", None, 1)
    assert store.reprice(1, [change]).result(10) == model.reprice([change])
    store.close(10)
    store = open_engine(tmp_path)
    check(store, 1, model)
    later = spread(30, first=390)
    assert store.append(1, later).result(10) == model.append(later)
    check(store, 1, model)
    store.close(10)


def test_reads_go_on_while_the_store_is_compacted(store: EventStore, account: int) -> None:
    """No reader is refused, and all of them see the same sums."""
    store.append(account, spread(300)).result(10)
    query = UsageQuery(filter=EventFilter(account=account), bounds_us=_RANGE)
    expected = store.usage(query)
    stop = threading.Event()

    def read() -> int:
        reads = 0
        while not stop.is_set():
            assert store.usage(query) == expected
            reads += 1
        return reads

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        store.compact(ignore)
        stop.set()
        assert all(reader.result(30) > 0 for reader in readers)


def test_prices_that_change_meanwhile_are_in_the_compacted_store(
    store: EventStore, account: int
) -> None:
    events = spread(50)
    model = Model()
    model.append(events)
    store.append(account, events).result(10)
    changes = iter([CostChange(events[place].id, 77, "computed", None, 1) for place in (1, 2)])

    def reprice(_part: float) -> None:
        for change in list(changes)[:2]:
            assert store.reprice(account, [change]).result(10) == model.reprice([change]) == 1

    store.compact(reprice)
    check(store, account, model)


def test_a_backup_holds_one_moment_and_opens_as_a_store(
    open_engine: Opener, tmp_path: Path
) -> None:
    """Beside ingest: what was acknowledged before is in it, and what is in it adds up."""
    live, folder = tmp_path / "live", tmp_path / "backup"
    live.mkdir()
    folder.mkdir()
    store = open_engine(live)
    events = spread(900)
    store.append(1, events).result(10)
    with ingesting(store, 1):
        made = store.back_up(folder, ignore)
    store.close(10)
    assert sorted(path.name for path in folder.iterdir()) == [made.file]
    assert made.bytes == (folder / made.file).stat().st_size
    copy = open_engine(folder)
    where = EventFilter(account=1)
    kept = copy.scan_events(where, limit=1_000_000)
    assert len(kept) == made.events >= len(events)
    model = Model()
    model.append(kept)
    assert {each.id for each in kept} >= {each.id for each in events}
    totals = UsageQuery(filter=where, bounds_us=_RANGE, group_by=("entity_id", "model"))
    assert copy.usage(totals) == model.usage(totals)
    assert copy.append(1, events).result(10) == [Outcome.DUPLICATE] * len(events)
    copy.close(10)


def test_a_compaction_that_is_killed_at_any_point_loses_nothing(tmp_path: Path) -> None:
    """Four exact points; each time both the promises and the next compaction hold."""
    acknowledged = run_points(tmp_path)
    store = open_duckdb(tmp_path)
    model = Model()
    events = store.scan_events(EventFilter(account=1), limit=1_000_000)
    model.append(events)
    store.compact(ignore)
    assert len(events) >= acknowledged
    totals = UsageQuery(filter=EventFilter(account=1), bounds_us=(0, 1 << 55))
    assert store.usage(totals) == model.usage(totals)
    store.close(10)
    assert not list(tmp_path.glob("*compacting*"))


def test_a_copy_goes_on_where_it_was_ended(tmp_path: Path) -> None:
    """What was copied is not copied again, unless it has changed since."""
    store = open_duckdb(tmp_path)
    for first in range(0, 200, 20):
        store.append(1, spread(20, first=first)).result(10)
    target = tmp_path / "copy"
    first = Copy(store._database, target, part_events=40)

    def stop(_part: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError), first.attached():
        first.copy_events(lambda: 10, stop, total=200)
    again = Copy(store._database, target, part_events=40)
    with again.attached():
        assert again.copied_to == first.copied_to == 2
    store.delete_events(EventFilter(account=1, entity_type="customer", entity_id="e1"), ignore)
    anew = Copy(store._database, target, part_events=40)
    with anew.attached():
        assert anew.copied_to == 0
    store.close(10)


def test_every_table_of_the_store_is_copied() -> None:
    """A table that is added to the schema must be added to the copy."""
    made = duckdb.connect()
    for step in STEPS:
        for statement in step.statements:
            made.execute(statement)
    tables = {name for (name,) in made.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    others = {"events", "rollup_state", WITHOUT_TAG_SUMS, SESSION_DAYS}
    assert tables == {*others, *DICTIONARIES, *ROLLUPS}
