"""`infraprism prices …` on a real control store, with a worker as the running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.worker import Worker
from infraprism_server.clock import SystemClock
from infraprism_server.event_store.duckdb.store import open_event_store
from infraprism_server.pricing.cli import ControlAccess, prices_group
from infraprism_server.pricing.service import PricingService
from infraprism_server.pricing.tasks import pricing_tasks

Invoke = Callable[..., str]


@pytest.fixture
def invoke(engine) -> Invoke:
    """Run a command as account 1; answers what it printed."""
    access = ControlAccess(open_engine=lambda: engine, find_account=lambda *_: 1)

    def run(*arguments: str, fails: bool = False) -> str:
        result = CliRunner().invoke(
            prices_group, arguments, obj=access, env={"COLUMNS": "250"}, terminal_width=250
        )
        assert (result.exit_code != 0) == fails, result.output
        return " ".join(result.output.split())

    return run


@pytest.fixture
def server(engine, book, tmp_path: Path, call) -> Iterator[PricingService]:
    """The process that owns the stores, with one unpriced event."""
    clock = SystemClock()
    store = open_event_store(tmp_path, instance_id="test", clock=clock)
    pricing = PricingService(engine, clock, book, store)
    worker = Worker(JobQueue(engine, clock), pricing_tasks(pricing, store))
    own = call(provider="vllm", model="own", entity_type="team", entity_id="red")
    store.append(1, [pricing.price(1, own)]).result(10)
    worker.start()
    yield pricing
    worker.stop(5)
    store.close(5)


def test_a_price_is_added_listed_and_removed(invoke):
    assert "list prices apply" in invoke("list")
    added = invoke(
        "add", "vllm", "own", "--input-usd-per-million", "1.5", "--output-usd-per-million", "2",
        "--from", "2025-01-01", "--note", "our rack",
    )  # fmt: skip
    price_id = added.split()[1].rstrip(".")
    listed = invoke("list")
    assert price_id in listed
    assert "input 1.5, output 2" in listed
    assert "2025-01-01T00:00:00Z" in listed
    assert "our rack" in listed
    assert price_id in invoke("remove", price_id)
    assert "no price with this id" in invoke("remove", price_id, fails=True)


def test_a_discount_for_a_provider_needs_no_model(invoke):
    invoke("add", "azure", "--discount-percent", "10")
    assert "-10 %" in invoke("list")
    assert "3.5" not in invoke("lookup", "azure", "gpt-4o")
    assert "2.25" in invoke("lookup", "azure", "gpt-4o")


def test_a_lookup_shows_the_tiers_and_the_time(invoke):
    shown = invoke("lookup", "anthropic", "claude-sonnet-4-5", "--at", "2025-11-15")
    assert "above 200,000 input tokens" in shown
    assert "22.5" in shown
    assert "1.5" in invoke("lookup", "anthropic", "claude-sonnet-4-5", "--tier", "batch")
    assert "No price is known" in invoke("lookup", "openai", "no-such", fails=True)


def test_what_makes_no_price_is_refused(invoke):
    assert "discount_percent" in invoke("add", "vllm", "own", fails=True)
    assert "from 0 to 10,000" in invoke(
        "add", "vllm", "own", "--input-usd-per-million", "10001", fails=True
    )
    assert "not a number" in invoke(
        "add", "vllm", "own", "--input-usd-per-million", "much", fails=True
    )


def test_the_running_server_lists_what_is_unpriced_and_prices_it_again(invoke, server):
    assert "own" in invoke("unpriced")
    invoke("add", "vllm", "own", "--input-usd-per-million", "1", "--output-usd-per-million", "2")
    shown = invoke("reprice", "--dry-run")
    assert "team/red" in shown
    assert "1 would change" in shown
    assert "own" in invoke("unpriced")
    assert "0.0012 USD" in invoke("reprice")
    assert "Every event has a price" in invoke("unpriced")
