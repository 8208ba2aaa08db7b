"""What events cost, with their immutable rates, and how that is explained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import func, select

from infraprism_server.control_store.tables import price_rates
from infraprism_server.errors import NotFound
from infraprism_server.http.wire import encode
from infraprism_server.pricing.calls import Calls, Quotes
from infraprism_server.pricing.service import PricingService
from server.tests.pricing.columns import columns_of

PICO = 10**12


def test_a_computed_cost_points_to_the_rates_it_was_made_from(pricing, call):
    priced = pricing.price(1, call(cache_read_input_tokens=600))
    assert priced.cost_source == "computed"
    assert priced.cost_pico == 400 * 2_500_000 + 600 * 1_250_000 + 100 * 10_000_000
    explained = pricing.explain(priced)
    assert [(line.unit, line.quantity) for line in explained.lines] == [
        ("input", 400),
        ("cache_read", 600),
        ("output", 100),
    ]
    assert sum(line.cost_usd.pico for line in explained.lines) == priced.cost_pico
    assert explained.rate is not None
    assert explained.rate.model == "gpt-4o"
    assert "genai-prices" in explained.rate.price_version
    assert b'"cost_usd":0.00275' in encode(explained)


def test_a_reported_cost_stays_and_the_computed_one_stands_beside_it(pricing, call):
    reported = call(cost_source="reported", cost_pico=6_500_000_000)
    priced = pricing.price(1, reported)
    assert (priced.cost_source, priced.cost_pico) == ("reported", 6_500_000_000)
    assert priced.computed_cost_pico == 3_500_000_000
    explained = pricing.explain(priced)
    assert [line.cost_usd.pico for line in explained.lines] == [6_500_000_000]
    assert explained.lines[0].description == "reported by the provider"
    assert sum(line.cost_usd.pico for line in explained.computed_lines) == 3_500_000_000


def test_a_reported_cost_of_an_unknown_model_has_nothing_beside_it(pricing, call):
    priced = pricing.price(1, call(model="nope", cost_source="reported", cost_pico=5))
    assert (priced.cost_pico, priced.computed_cost_pico, priced.rate_id) == (5, None, None)
    assert len(pricing.explain(priced).lines) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": "my-finetuned-llm-7b"}, "no price is known"),
        ({"model": "gpt-4o-mini-tts", "output_audio_tokens": 10}, "no output_audio rate"),
        ({"model": "gpt-4", "cache_read_input_tokens": 10}, "no cache_read rate"),
        ({"model": "gpt-4", "web_search_requests": 1}, "no web_search rate"),
        ({"model": "text-embedding-3-small"}, "no output rate"),
        ({"input_tokens": 0, "output_tokens": 0}, "neither tokens nor a cost"),
        ({"service_tier": "flex"}, "no price is known"),
    ],
)
def test_what_can_not_be_priced_is_unpriced_and_says_why(pricing, call, fields, reason):
    priced = pricing.price(1, call(**fields))
    assert (priced.cost_source, priced.cost_pico, priced.rate_id) == ("unpriced", 0, None)
    assert reason in (pricing.explain(priced).unpriced_reason or "")
    assert pricing.explain(priced).lines == []


def test_a_failed_call_without_tokens_costs_nothing_and_is_computed(pricing, call):
    failed = call(input_tokens=0, output_tokens=0, success=False, model="unheard-of")
    priced = pricing.price(1, failed)
    assert (priced.cost_source, priced.cost_pico) == ("computed", 0)
    assert pricing.explain(priced).lines == []


def test_a_failed_call_with_tokens_costs_them(pricing, call):
    assert pricing.price(1, call(success=False)).cost_pico == 3_500_000_000


def test_one_row_per_card_whoever_writes_it_first(pricing, engine, clock, book, call):
    others = [PricingService(engine, clock, book) for _ in range(3)]
    with ThreadPoolExecutor(8) as pool:
        priced = list(
            pool.map(
                lambda service: [service.price(1, each) for each in (call(), call(model="o3"))],
                [pricing, *others] * 4,
            )
        )
    assert len({tuple(event.rate_id for event in batch) for batch in priced}) == 1
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(price_rates)).scalar_one() == 2


def test_a_price_can_be_looked_up_with_its_steps(pricing):
    at_us = int(datetime(2025, 11, 15, tzinfo=UTC).timestamp()) * 1_000_000
    found = pricing.lookup(1, "anthropic", "claude-sonnet-4-5", "standard", at_us)
    assert found.input_usd_per_million == Decimal(3)
    assert found.cache_write_1h_usd_per_million == Decimal(6)
    assert found.web_search_usd_per_thousand == Decimal(10)
    [step] = found.steps
    assert (step.above_input_tokens, step.input_usd_per_million) == (200_000, Decimal(6))
    assert step.output_usd_per_million == Decimal("22.5")
    assert msgspec.json.decode(encode(found))["input_usd_per_million"] == 3
    with pytest.raises(NotFound):
        pricing.lookup(1, "openai", "my-finetuned-llm-7b", "standard")


def test_a_batch_is_priced_as_its_calls_would_be_one_by_one(pricing, call):
    batch = [
        call(),
        call(model="claude-sonnet-4-5-20250929", provider="anthropic", input_tokens=250_000),
        call(model="nobody-knows-this"),
        call(service_tier="batch"),
        call(input_tokens=0, output_tokens=0),
        call(input_tokens=0, output_tokens=0, success=False),
        call(cost_pico=7, cost_source="reported"),
        call(input_tokens=1_000, cache_read_input_tokens=400, input_audio_tokens=10),
        call(at=datetime(2023, 1, 1, tzinfo=UTC)),
    ]
    for chosen in (batch, batch[:1], [call(), call(input_tokens=9)]):
        one_by_one = Quotes.of([pricing.quote(1, each) for each in chosen])
        at_us = [each.timestamp_us for each in chosen]
        for columns in (columns_of(chosen), None):
            quotes = pricing.quotes(1, Calls(chosen, at_us, columns))
            assert [part.tolist() for part in quotes] == [part.tolist() for part in one_by_one]
    late = pricing.quotes(1, Calls(batch[:3], [1 << 50] * 3, columns_of(batch[:3])))
    assert late.known.tolist() == [True, True, False]
    assert [late.at(place)[1] is None for place in range(3)] == [False, False, True]
