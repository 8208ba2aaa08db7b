"""A session is looked for in the days it has events in, and found whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contract_tests.event_store.model import Model
from contract_tests.event_store.samples import NOON, event
from contract_tests.event_store.test_lasting import check, ignore, spread
from contract_tests.event_store.test_tag_sums import opened
from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.event_store.contract import EventFilter, UsageQuery
from infraprism_server.event_store.duckdb.session_days import (
    HASH_OF_NAME,
    find_span,
    session_hash,
)

DAY = MICROSECONDS_PER_DAY


@settings(max_examples=50)
@given(
    st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and text.isprintable())
)
def test_both_sides_make_the_same_of_a_name(text: str) -> None:
    import duckdb

    with duckdb.connect() as connection:
        ((stored,),) = connection.execute(
            f"SELECT {HASH_OF_NAME} FROM (SELECT ? AS session_id)", [text]
        ).fetchall()
    assert stored == session_hash(text)


def test_a_session_over_days_is_found_folded_and_not(tmp_path: Path) -> None:
    database, store = opened(tmp_path)
    days = (0, 3, -2, 7)
    events = [
        event(number, timestamp_us=NOON + day * DAY, session_id="one")
        for number, day in enumerate(days)
    ]
    other = event(9, timestamp_us=NOON + 30 * DAY, session_id="two")
    for each in (*events, other):
        store.append(1, [each]).result(10)
        where = EventFilter(account=1, session_id="one")
        stored = store.list_events(where, limit=10)
        assert (
            stored.total
            == store.usage(
                UsageQuery(filter=where, bounds_us=(NOON - 90 * DAY, NOON + 90 * DAY))
            ).totals.events
        )
    assert stored.total == len(days)
    with database.snapshot() as cursor:
        span = find_span(cursor, 1, "one")
        assert span is not None
        assert span[0] <= NOON - 2 * DAY
        assert NOON + 7 * DAY < span[1] < NOON + 9 * DAY, "where nothing of it is, nobody looks"
        assert find_span(cursor, 1, "three") is None
        assert find_span(cursor, 2, "one") is None, "of another account"
    narrow = msgspec.structs.replace(where, start_us=NOON - DAY, end_us=NOON + 4 * DAY)
    assert store.list_events(narrow, limit=10).total == 2
    assert (
        store.list_events(msgspec.structs.replace(where, start_us=NOON + 50 * DAY), limit=10).total
        == 0
    )
    store.close(10)


def test_a_copy_forgets_the_sessions_before_every_event(tmp_path: Path) -> None:
    database, store = opened(tmp_path)
    events = spread(60)
    model = Model()
    for first in range(0, 60, 20):
        store.append(1, events[first : first + 20]).result(10)
        model.append(events[first : first + 20])
    store.append(2, [event(1, session_id="kept")]).result(10)
    cut = EventFilter(account=1, end_us=NOON + 2 * DAY)
    assert store.delete_events(cut, ignore) == model.delete(cut) > 0
    check(store, 1, model)
    store.compact(ignore)
    check(store, 1, model)
    with database.snapshot() as cursor:
        ((oldest,),) = cursor.execute(
            "SELECT min(last_day) FROM session_days WHERE account = 1"
        ).fetchall()
        assert oldest * DAY >= NOON + DAY
        assert find_span(cursor, 2, "kept") is not None
    store.close(10)
