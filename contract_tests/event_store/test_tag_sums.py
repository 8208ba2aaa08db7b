"""Sums by tags are exact whatever happens to the events; who never repeats a tag has none."""

from __future__ import annotations

from pathlib import Path

import duckdb
import msgspec
import pytest

from contract_tests.event_store.engines import INSTANCE, open_duckdb_eager
from contract_tests.event_store.model import Model
from contract_tests.event_store.samples import NOON
from contract_tests.event_store.test_lasting import check, ignore, spread
from infraprism_server.clock import MICROSECONDS_PER_DAY, SystemClock
from infraprism_server.event_store.contract import CostChange, Event, EventFilter
from infraprism_server.event_store.duckdb.database import FILE_NAME, Database
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.store import DuckDBEventStore

WHERE = EventFilter(account=1)
DIFFERENT = """
    WITH cells AS (SELECT account, day, tag_code, model_code, sum(events) AS events,
        sum(cost_pico) AS cost, sum(errors) AS errors, sum(unpriced_events) AS unpriced
        FROM rollup_tag_day GROUP BY ALL),
    raw AS (SELECT account, (ts // 86400000000)::INTEGER AS day, tag_code, model_code,
        count(*) AS events, sum(cost_pico) AS cost, count(*) FILTER (NOT success) AS errors,
        count(*) FILTER (cost_source = 2) AS unpriced FROM events
        WHERE commit_no <= (SELECT watermark FROM rollup_state) GROUP BY ALL)
    (FROM cells EXCEPT ALL FROM raw) UNION ALL (FROM raw EXCEPT ALL FROM cells)
"""
"""Cells that are not what their events add up to, or have none; after 1970 alone."""


def opened(folder: Path, *, most_tag_sets: int = 1_000) -> tuple[Database, DuckDBEventStore]:
    """A store that folds each commit, before the one after it."""
    database = Database(folder, instance_id=INSTANCE, memory_limit_mb=256, threads=1)
    folding = Folding(after_events=0, most_tag_sets=most_tag_sets)
    return database, DuckDBEventStore(
        database, clock=SystemClock(), max_waiting_events=1_000, folding=folding
    )


def cells(database: Database) -> int:
    """How many events the sums hold."""
    with database.snapshot() as cursor:
        ((events,),) = cursor.execute(
            "SELECT coalesce(sum(events), 0) FROM rollup_tag_day"
        ).fetchall()
        return int(events)


def assert_exact(database: Database) -> None:
    """Each cell is what its events add up to."""
    with database.snapshot() as cursor:
        assert cursor.execute(DIFFERENT).fetchall() == []


def test_every_change_of_the_events_is_one_of_the_sums(tmp_path: Path) -> None:
    """Appended, priced anew, without tags, deleted, merged: after each the cells are exact."""
    database, store = opened(tmp_path)
    model = Model()
    events = spread(60)
    untagged = [msgspec.structs.replace(each, tags=None) for each in spread(10, first=60)]
    for batch in (events[:40], events[40:], untagged):
        store.append(1, batch).result(10)
        model.append(batch)
        assert_exact(database)
    held = cells(database)
    assert held >= 60, "all but the last commit, which is the tail, or all"

    new = [
        CostChange(
            event_id=each.id,
            cost_pico=each.cost_pico + 7,
            cost_source="computed",
            computed_cost_pico=each.cost_pico + 7,
            rate_id=None,
        )
        for each in events[::3]
    ]
    store.reprice(1, new).result(10)
    assert_exact(database)

    one = EventFilter(account=1, entity_type="customer", entity_id="e1")
    assert store.strip_events(one, ignore) > 0
    assert_exact(database)

    cut = NOON + 2 * MICROSECONDS_PER_DAY
    assert store.delete_events(EventFilter(account=1, end_us=cut), ignore) > 0
    assert_exact(database)
    assert 0 < cells(database) < held
    store.compact(ignore)
    assert_exact(database)
    store.close(10)


def test_an_account_whose_tags_never_repeat_has_no_sums_by_them(tmp_path: Path) -> None:
    """And its answers are the same; other accounts keep theirs."""
    database, store = opened(tmp_path, most_tag_sets=9)
    model, other = Model(), Model()
    steady = spread(30)
    store.append(2, steady).result(10)
    other.append(steady)
    for first in range(0, 60, 6):
        batch = [
            msgspec.structs.replace(each, tags=f'{{"job":"1","request":"{each.id}"}}')
            for each in spread(6, first=first)
        ]
        store.append(1, batch).result(10)
        model.append(batch)
        check(store, 1, model)
    check(store, 2, other)
    with database.snapshot() as cursor:
        assert cursor.execute("SELECT * FROM accounts_without_tag_sums").fetchall() == [(1,)]
        assert cursor.execute("SELECT DISTINCT account FROM rollup_tag_day").fetchall() == [(2,)]
    store.close(10)


@pytest.mark.parametrize("crowded", [False, True], ids=["few sets", "too many sets"])
def test_an_older_file_gets_them_when_it_is_opened(tmp_path: Path, crowded: bool) -> None:
    store = open_duckdb_eager(tmp_path)
    events: list[Event] = spread(40)
    for first in range(0, 40, 8):
        store.append(1, events[first : first + 8]).result(10)
    store.close(10)
    with duckdb.connect(str(tmp_path / FILE_NAME)) as file:  # as version 1 left it
        file.execute("DROP TABLE rollup_tag_day")
        file.execute("DROP TABLE accounts_without_tag_sums")
        file.execute("DROP TABLE session_days")
        file.execute("UPDATE meta SET value = '1' WHERE name = 'schema_version'")
        if crowded:
            file.execute(
                "INSERT INTO tag_sets SELECT 1000 + n, 1, '{\"n\":\"' || n || '\"}'"
                " FROM range(1001) t(n)"
            )
        ((folded,),) = file.execute(
            "SELECT count(*) FROM events WHERE commit_no <= (SELECT watermark FROM rollup_state)"
        ).fetchall()
    assert folded > 0
    (tmp_path / "events.commits").unlink()  # nothing else has written the file's headers
    database, again = opened(tmp_path)
    assert cells(database) == (0 if crowded else folded)
    if not crowded:
        assert_exact(database)
    model = Model()
    model.append(events)
    check(again, 1, model)
    again.close(10)
