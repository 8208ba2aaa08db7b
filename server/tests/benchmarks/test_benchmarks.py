"""`make bench`: its events are the same every time, its prices the server's, and it runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import Engine

from benchmarks.generator import Generator, Plan
from benchmarks.load import PLACE, LoadJob, foreign_prefix, native_prefix, templates
from benchmarks.questions import QUESTIONS
from benchmarks.repeating import Repeats, repeat
from benchmarks.workload import CUSTOMERS, DAYS, MODELS, TAG_SETS
from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.clock import FixedClock
from infraprism_server.event_store.contract import Event
from infraprism_server.events.intake import AcceptedTimes, decode_batch, event_from
from infraprism_server.ids import event_key
from infraprism_server.pricing.calls import Quotes
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService

ROOT = Path(__file__).parents[3]
END_US = 1_772_366_400_000_000


def generated(plan: Plan, chunk_events: int = 700) -> pa.Table:
    generator = Generator(plan)
    try:
        tables = generator.tables(PriceBook(), lambda _event: 1, chunk_events=chunk_events)
        return pa.concat_tables(list(tables)).combine_chunks()
    finally:
        generator.close()


def test_the_same_seed_makes_the_same_events_in_whatever_chunks() -> None:
    plan = Plan(2_000, END_US, seed=7)
    assert generated(plan).equals(generated(plan, chunk_events=333))


def test_another_seed_makes_other_events() -> None:
    ids = generated(Plan(500, END_US, seed=1))["id"].to_pylist()
    others = generated(Plan(500, END_US, seed=2))["id"].to_pylist()
    assert not set(ids) & set(others)


def test_a_date_is_a_seed_too() -> None:
    assert generated(Plan(20, END_US, seed=20_261_127)).num_rows == 20


def test_ids_are_uuid_version_7_of_the_call_s_time_in_order() -> None:
    rows = generated(Plan(2_000, END_US)).to_pylist()
    for row in rows:
        assert int.from_bytes(row["id"][:6]) == row["timestamp_us"] // 1_000
        assert row["id"][6] >> 4 == 7
        assert row["id"][8] >> 6 == 2
    times = [row["timestamp_us"] for row in rows]
    assert times == sorted(times)
    assert END_US - DAYS * 86_400_000_000 <= times[0] < times[-1] <= END_US


def test_the_events_have_the_shape_that_is_promised() -> None:
    rows = generated(Plan(20_000, END_US)).to_pylist()
    assert {(row["provider"], row["model"]) for row in rows} == set(MODELS)
    assert len({row["tags"] for row in rows}) == len(TAG_SETS) == 60
    customers = {row["entity_id"] for row in rows if row["entity_type"] == "customer"}
    assert 1_000 < len(customers) <= CUSTOMERS
    assert all(row["cost_source"] == "computed" for row in rows)
    assert {row["success"] for row in rows} == {True, False}


def test_bodies_are_what_the_api_takes() -> None:
    generator = Generator(Plan(60, END_US))
    (first, second) = generator.bodies(2, 30)
    generator.close()
    times = AcceptedTimes(0, END_US)
    for sent in [*decode_batch(first), *decode_batch(second)]:
        event = event_from(sent, sent.id, times, lambda _: Quotes.of([(None, None)]))
        assert event.tags is not None


@pytest.fixture
def pricing(engine: Engine, clock: FixedClock) -> tuple[PricingService, int]:
    account = AccountService(engine, clock).create(NewAccount(email="a@b.example", name="A"))
    return PricingService(engine, clock, PriceBook()), account.number


def test_costs_are_those_the_server_would_compute(pricing: tuple[PricingService, int]) -> None:
    service, account = pricing
    generator = Generator(Plan(3_000, END_US))
    (table,) = generator.tables(PriceBook(), lambda event: service.quote(account, event).rate_id)
    generator.close()
    for row in table.to_pylist():
        given = {
            name: value
            for name, value in row.items()
            if name in Event.__struct_fields__ and value is not None
        }
        event = Event(**given | {"id": row["id"].hex(), "cost_source": "unpriced", "cost_pico": 0})
        priced = service.price(account, event)
        assert (priced.cost_pico, priced.cost_source, priced.rate_id) == (
            row["cost_pico"],
            row["cost_source"],
            row["rate_id"],
        )


def test_the_first_call_stands_apart_from_the_percentiles_of_the_others() -> None:
    times = iter([900.0, *map(float, range(200, 0, -1))])
    taken = repeat(lambda: next(times), Repeats(most=200))
    assert (taken.first_ms, taken.calls) == (900.0, 201)
    assert (taken.p50_ms, taken.p99_ms) == (100.0, 198.0)


@pytest.mark.parametrize(
    ("calls", "seconds", "more"),
    [(0, 99.0, True), (59, 99.0, True), (60, 5.9, True), (60, 6.0, False), (200, 0.1, False)],
)
def test_what_takes_long_is_asked_for_less_often_but_often_enough(
    calls: int, seconds: float, *, more: bool
) -> None:
    assert Repeats(most=200).among(calls, seconds) is more


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_quick_run_has_a_figure_for_everything(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--markdown", "--json", str(figures)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report = json.loads(figures.read_text())
    names = {line["what"] for line in report["lines"]}
    assert {question.name for question in QUESTIONS} <= names
    assert {"size on disk", "ready", "memory, idle", "4 x 500"} <= names
    assert {"added to a call, median, server up", "exit, server black hole"} <= names
    assert all(line["figure"] >= 0 for line in report["lines"] if "added" not in line["what"])
    assert report["machine"]["duckdb"]
    assert "### Ingest over HTTP" in run.stdout
    assert list(tmp_path.glob("infraprism-bench-*")) == []


def test_ingest_with_limits_is_measured_beside_ingest_with_none() -> None:
    """As docs/benchmarks.md says it is run, for a moment."""
    words = ["--limits", "100", "--seconds", "0.3", "--turns", "1", "--calls", "20"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.limits", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "GET /v1/limits/status, 100 limits" in run.stdout
    assert re.search("[012] of 2 goals reached", run.stdout), "both are judged; how fast is not"


def test_ids_made_while_sending_are_of_the_kind_that_is_measured() -> None:
    for ids, prefix in (("native", native_prefix), ("foreign", foreign_prefix)):
        (body,) = templates(LoadJob(1, "", 1, 1.0, 20, ids=ids), 1)
        sent = decode_batch(body.replace(PLACE, prefix(5)))
        made = [one.id for one in sent]
        assert len(set(made)) == 20
        for event_id in made:
            if ids == "native":
                assert event_key(event_id)[1] is None
            else:
                assert str(uuid.UUID(event_id, version=4)) == event_id
