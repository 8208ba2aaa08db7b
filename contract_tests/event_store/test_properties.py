"""Random histories and random questions: every answer equals the model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from contract_tests.event_store import samples
from contract_tests.event_store.model import Model, position
from contract_tests.harness.examples import examples
from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import (
    EntityQuery,
    Event,
    EventFilter,
    EventStore,
    Position,
    TagKey,
    UsageQuery,
)
from infraprism_server.event_store.event_columns import EventColumns
from infraprism_server.event_store.sums import Sums

Step = tuple[str, Sequence[Any]]

_settings = settings(
    max_examples=examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

maybe_instant = st.none() | samples.instants
filters = st.fixed_dictionaries(
    {},
    optional={
        "start_us": samples.instants,
        "end_us": samples.instants,
        "entity_type": st.sampled_from(["customer", "team", "nobody"]),
        "entity_id": st.sampled_from(["acme", "a/b", "nobody"]),
        "model": st.sampled_from(["gpt-4o", "claude", "none"]),
        "provider": st.sampled_from(["openai", "none"]),
        "session_id": st.sampled_from(["s1", ""]),
        "success": st.booleans(),
        "cost_source": samples.sources,
        "tags": st.lists(
            st.tuples(samples.tag_keys, samples.tag_values), min_size=1, max_size=2
        ).map(tuple),
    },
)
takings = st.lists(
    st.one_of(
        st.builds(dict, end_us=samples.instants),
        st.builds(
            lambda name: {"entity_type": name[0], "entity_id": name[1]}, samples.entity_names
        ),
        st.just({}),
        filters,
    ),
    min_size=1,
    max_size=1,
)

steps = st.one_of(
    st.tuples(st.just("append"), st.lists(samples.events(), max_size=12)),
    st.tuples(st.just("append"), st.lists(samples.events(), min_size=8, max_size=25)),
    st.tuples(st.just("append packed"), st.lists(samples.events(), min_size=1, max_size=12)),
    st.tuples(st.just("again"), st.lists(st.integers(0, 200), max_size=8)),
    st.tuples(st.just("reprice"), st.lists(samples.cost_changes, max_size=6)),
    st.tuples(st.just("remember"), st.lists(samples.entity_names, max_size=3)),
)
takings_away = st.one_of(
    st.tuples(st.just("delete"), takings),
    st.tuples(st.just("delete"), takings),
    st.tuples(st.just("strip"), takings),
    st.tuples(st.just("forget"), st.lists(samples.entity_names, max_size=3)),
    st.tuples(st.just("rename"), st.lists(samples.entity_names, min_size=1, max_size=1)),
)
histories = st.builds(
    lambda before, taken, after: [*before, *taken, *after],
    st.lists(steps, max_size=4),
    st.lists(takings_away, max_size=2),
    st.lists(steps, max_size=2),
)

groups = st.lists(
    st.sampled_from(
        [
            "model",
            "provider",
            "entity_type",
            "entity_id",
            "session_id",
            "service_tier",
            "success",
            TagKey("env"),
            TagKey("a/b"),
        ]
    ),
    max_size=3,
).map(tuple)


@st.composite
def bounds(draw: st.DrawFn) -> tuple[int, ...]:
    """Even buckets from an aligned or ragged start, or any edges at all."""
    if draw(st.booleans()):
        length = draw(
            st.sampled_from([MICROSECONDS_PER_HOUR, MICROSECONDS_PER_DAY, 7 * 3_600_000_007])
        )
        shift = draw(st.sampled_from([0, 0, 5 * MICROSECONDS_PER_HOUR, 900_000_000, 1]))
        start = samples.MIDNIGHT - MICROSECONDS_PER_DAY + shift
        number = draw(st.integers(1, 100))
        edges = [start + place * length for place in range(number + 1)]
        # A day with a change of the clocks: everything after it is an hour later.
        change = draw(st.integers(0, number))
        extra = draw(st.sampled_from([0, MICROSECONDS_PER_HOUR]))
        return tuple(edges[:change] + [edge + extra for edge in edges[change:]])
    return tuple(sorted(draw(st.sets(samples.instants, min_size=2, max_size=90))))


def play(store: EventStore, account: int, model: Model, history: Sequence[Step]) -> None:
    """Hand every step over without waiting, then compare the answers."""
    waiting: list[tuple[Any, Any]] = []
    seen: list[Event] = []
    for step, given_values in history:
        if step == "append":
            seen += given_values
            waiting.append((store.append(account, given_values), model.append(given_values)))
        elif step == "append packed":
            seen += given_values
            columns = EventColumns.of(given_values)
            waiting.append((store.append(account, columns), model.append(given_values)))
        elif step == "again":
            batch = [seen[place % len(seen)] for place in given_values if seen]
            waiting.append((store.append(account, batch), model.append(batch)))
        elif step == "reprice":
            waiting.append((store.reprice(account, given_values), model.reprice(given_values)))
        elif step == "remember":
            waiting.append((store.remember_entities(account, given_values), None))
            model.remembered |= set(given_values)
            model.remembered_lately |= set(given_values)
        else:
            for future, expected in waiting:
                assert future.result(10) == expected
            waiting.clear()
            take_away(store, account, model, step, given_values)
    for future, expected in waiting:
        assert future.result(10) == expected


def take_away(
    store: EventStore, account: int, model: Model, step: str, values: Sequence[Any]
) -> None:
    """What the store does to the end before it answers."""
    if step == "forget":
        # What was remembered a moment ago may be kept for that reason alone.
        spoken_of = set(values) | model.remembered_lately
        assert store.forget_names(account, spoken_of) == model.forget(spoken_of)
    elif step == "rename":
        ((entity_type, entity_id),) = values
        new_id = f"erased-{len(model.remembered)}-{entity_id}"
        renamed = store.rename_entity(account, entity_type, entity_id, new_id).result(10)
        assert renamed == model.rename(entity_type, entity_id, new_id)
    else:
        where = EventFilter(account=account, **values[0])
        told: list[float] = []
        work = {"delete": store.delete_events, "strip": store.strip_events}[step]
        expected = {"delete": model.delete, "strip": model.strip}[step](where)
        assert work(where, told.append) == expected
        assert told == sorted(told)
        assert all(0 <= part <= 1 for part in told)


@_settings
@given(history=histories, where=filters, limit=st.integers(1, 9), offset=st.integers(0, 30))
def test_lists_of_events_equal_the_model(
    store: EventStore,
    next_account: Iterator[int],
    *,
    history: Sequence[Step],
    where: dict[str, Any],
    limit: int,
    offset: int,
) -> None:
    """Any filter, any page, by offset and by position; and one by one by id."""
    account, model = next(next_account), Model()
    play(store, account, model, history)
    chosen = EventFilter(account=account, **where)
    page = store.list_events(chosen, limit=limit, offset=offset)
    assert (page.events, page.total) == model.page(chosen, limit, offset, None)
    walked: list[Event] = []
    after: Position | None = None
    while True:
        page = store.list_events(chosen, limit=limit, after=after)
        assert (page.events, page.total) == model.page(chosen, limit, 0, after)
        walked += page.events
        after = page.next_position
        if after is None:
            break
    matching = model.matching(chosen)
    assert walked == matching
    oldest_first = store.scan_events(chosen, limit=limit)
    assert oldest_first == matching[::-1][:limit]
    if oldest_first:
        place = Position(*position(oldest_first[-1]))
        assert store.scan_events(chosen, limit=100, after=place) == matching[::-1][limit:][:100]
    for event in list(model.events.values())[:3]:
        assert store.find_event(account, event.id) == event


@_settings
@given(
    history=histories,
    where=filters,
    edges=bounds(),
    group_by=groups,
    top=st.none() | st.integers(1, 3),
    limit=st.integers(1, 50),
    offset=st.sampled_from([0, 0, 0, 2, 50]),
    only=st.just(frozenset()) | st.frozensets(st.sampled_from(Sums.__struct_fields__), max_size=3),
)
def test_usage_equals_the_model(
    store: EventStore,
    next_account: Iterator[int],
    *,
    history: Sequence[Step],
    where: dict[str, Any],
    edges: tuple[int, ...],
    group_by: tuple[Any, ...],
    top: int | None,
    limit: int,
    offset: int,
    only: frozenset[str],
) -> None:
    """Any filter, buckets, groups, top and sums: rows, their order, their number, the totals."""
    account, model = next(next_account), Model()
    play(store, account, model, history)
    for filtered in (where, {}):
        query = UsageQuery(
            filter=EventFilter(account=account, **filtered),
            bounds_us=edges,
            group_by=group_by,
            top=top,
            limit=limit,
            offset=offset,
            only=only,
        )
        note(repr(query))
        assert store.usage(query) == model.usage(query)
    assert store.list_unpriced(account) == model.unpriced()
    assert store.find_extent(account) == model.extent()


def test_a_sum_that_does_not_exist_is_refused_by_name(store: EventStore, next_account) -> None:
    query = UsageQuery(
        filter=EventFilter(account=next(next_account)),
        bounds_us=(0, 2 * samples.NOON),
        only=frozenset({"events", "evnets"}),
    )
    with pytest.raises(ValueError, match="no such sums: evnets"):
        store.usage(query)


@pytest.mark.parametrize("number", [999, 1_000, 1_001, 1_100])
def test_a_session_of_any_length_is_paged_through(
    store: EventStore, next_account, number: int
) -> None:
    account = next(next_account)
    events = [
        samples.event(place, session_id="long", timestamp_us=samples.NOON + place // 2)
        for place in range(number)
    ]
    store.append(account, [*events, samples.event(number, session_id="other")]).result()
    newest = sorted(events, key=lambda event: (event.timestamp_us, event.id), reverse=True)
    where = EventFilter(account=account, session_id="long")
    found: list[Event] = []
    after: Position | None = None
    while len(found) == 0 or after is not None:
        page = store.list_events(where, limit=333, after=after)
        assert page.total == number
        assert page.events == store.list_events(where, limit=333, offset=len(found)).events
        found += page.events
        after = page.next_position
    assert found == newest


def test_pages_of_a_tag_lie_where_they_should_at_any_depth(store: EventStore, next_account) -> None:
    """A rare tag, a frequent one, over months with a silence in them; near the top and deep."""
    account = next(next_account)
    tags = [samples.tags_text({"env": env}) for env in ("prod", "dev", "rare")]
    events = [
        samples.event(
            place,
            tags=tags[2 if place % 2_000 == 7 else place % 8 == 0],
            timestamp_us=samples.NOON
            + place * (MICROSECONDS_PER_HOUR // 8)
            - (200 * MICROSECONDS_PER_DAY if place < 300 else 0),
        )
        for place in range(12_000)
    ]
    store.append(account, events[:11_000]).result()
    store.append(account, events[11_000:]).result()
    newest = sorted(events, key=lambda event: event.timestamp_us, reverse=True)
    for env, tag in zip(("prod", "dev", "rare"), tags, strict=True):
        matching = [event for event in newest if event.tags == tag]
        where = EventFilter(account=account, tags=(("env", env),))
        for offset in (0, 5, 700, 1_490, 9_000, 9_999, 10_000, 10_001, 10_400, 10_493, 12_000):
            page = store.list_events(where, limit=7, offset=offset)
            assert (page.events, page.total) == (matching[offset : offset + 7], len(matching))
            assert (page.next_position is None) == (offset + 7 >= len(matching))
            if page.next_position is not None:
                further = store.list_events(where, limit=7, after=page.next_position)
                assert further.events == matching[offset + 7 : offset + 14]


@pytest.mark.parametrize("limit", [1, 50])
@pytest.mark.parametrize("field", ["entity_type", "entity_id"])
def test_an_account_without_entities_is_grouped_by_them(
    store: EventStore, next_account, field: str, limit: int
) -> None:
    """DuckDB 2.0 sorted the union of a join known to be empty in bytes."""
    store.append(next(next_account), [samples.event(1)]).result()
    account, model = next(next_account), Model()
    event = samples.event(0, web_search_requests=1_000, entity_type=None, entity_id=None)
    play(store, account, model, [("append", [event])])
    hours = tuple(samples.NOON + hour * MICROSECONDS_PER_HOUR for hour in range(5))
    for bounds in (hours, (hours[0], hours[-1])):
        query = UsageQuery(
            filter=EventFilter(account=account), bounds_us=bounds, group_by=(field,), limit=limit
        )
        assert store.usage(query) == model.usage(query)


@_settings
@given(
    history=histories,
    entity_type=st.none() | st.sampled_from(["customer", "nobody"]),
    id_contains=st.none() | st.sampled_from(["A", "c", "1", "%", ""]),
    named=st.just(()) | st.just((("customer", "acme"), ("team", "nobody"))),
    start_us=maybe_instant,
    end_us=maybe_instant,
    sort=st.sampled_from(["total_cost", "total_events", "first_seen", "last_seen", "entity_id"]),
    descending=st.booleans(),
    limit=st.integers(1, 20),
    offset=st.sampled_from([0, 0, 3]),
)
def test_lists_of_entities_equal_the_model(
    store: EventStore, next_account: Iterator[int], history: Sequence[Step], **query: Any
) -> None:
    """Any range, order and page; and each entity by itself."""
    account, model = next(next_account), Model()
    play(store, account, model, history)
    asked = EntityQuery(account=account, **query)
    page = store.list_entities(asked)
    assert page == model.entities(asked)
    for entity in page.entities[:3]:
        alone = model.entity(entity.entity_type, entity.entity_id, EventFilter(account=account))
        assert store.find_entity(account, entity.entity_type, entity.entity_id) == alone
