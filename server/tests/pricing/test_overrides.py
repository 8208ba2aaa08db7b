"""Which override applies, and what it makes of a price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.pricing.overrides import Override, by_precedence
from infraprism_server.pricing.schemas import PriceOverrideIn
from infraprism_server.pricing.service import PricingService

PICO = 10**12
OWN = {"input_usd_per_million": Decimal(1), "output_usd_per_million": Decimal(2)}


def override(match: str, model: str | None, created_at_us: int) -> Override:
    return Override(
        id=f"prc_{match}_{model}_{created_at_us}",
        provider="openai",
        match=match,
        model=model,
        prices=None,
        discount_percent="1",
        effective_from_us=None,
        effective_to_us=None,
        note=None,
        created_at_us=created_at_us,
    )


some = st.one_of(
    st.builds(override, st.just("exact"), st.sampled_from(["gpt-4o", "o3"]), st.integers(0, 5)),
    st.builds(override, st.just("prefix"), st.sampled_from(["gpt", "gpt-4"]), st.integers(0, 5)),
    st.builds(override, st.just("provider"), st.none(), st.integers(0, 5)),
)


@given(st.lists(some, min_size=1))
def test_exact_beats_prefix_beats_provider_and_later_beats_earlier(overrides):
    ordered = by_precedence(overrides)
    winner = (
        next(one for one in ordered if one.covers("gpt-4o"))
        if any(one.covers("gpt-4o") for one in ordered)
        else None
    )
    rivals = [one for one in overrides if one.covers("gpt-4o")]
    if not rivals:
        assert winner is None
        return
    for match in ("exact", "prefix", "provider"):
        same = [one for one in rivals if one.match == match]
        if same:
            longest = max(len(one.model or "") for one in same)
            newest = max(one.created_at_us for one in same if len(one.model or "") == longest)
            assert (winner.match, len(winner.model or "")) == (match, longest)
            assert winner.created_at_us == newest
            return


def test_an_own_price_is_the_price_and_the_explanation_says_so(pricing, call):
    added = pricing.create_override(1, PriceOverrideIn(provider="OpenAI", model="gpt-4o", **OWN))
    priced = pricing.price(1, call())
    assert priced.cost_pico == 1_000 * 1_000_000 + 100 * 2_000_000
    explained = pricing.explain(priced)
    assert explained.rate is not None
    assert added.id in explained.rate.source
    assert pricing.price(2, call()).cost_pico == int(Decimal("0.0035") * PICO)


def test_a_model_nobody_lists_can_have_a_price(pricing, call):
    local = call(provider="vllm", model="llama-on-our-rack")
    assert pricing.price(1, local).cost_source == "unpriced"
    pricing.create_override(1, PriceOverrideIn(provider="vllm", model="llama-on-our-rack", **OWN))
    assert pricing.price(1, local).cost_pico == 1_200_000_000
    near = call(provider="vllm", model="llama-on-our-rack-2")
    assert pricing.price(1, near).cost_source == "unpriced"


def test_a_provider_discount_holds_for_every_spelling(pricing, call):
    pricing.create_override(
        1,
        PriceOverrideIn(provider="azure", match="provider", discount_percent=Decimal("12.5")),
    )
    for spelling in ("azure", "azure.ai.openai", "azure_openai"):
        priced = pricing.price(1, call(provider=spelling))
        assert priced.cost_pico == int(Decimal("0.0035") * Decimal("0.875") * PICO)
        explained = pricing.explain(priced)
        assert explained.lines[0].discount_percent == Decimal("12.5")
        assert sum(line.cost_usd.pico for line in explained.lines) == priced.cost_pico
    assert pricing.price(1, call()).cost_pico == int(Decimal("0.0035") * PICO)


def test_a_unit_the_override_does_not_name_is_unpriced(pricing, call):
    pricing.create_override(1, PriceOverrideIn(provider="openai", model="gpt-4o", **OWN))
    assert pricing.price(1, call(cache_read_input_tokens=10)).cost_source == "unpriced"


def test_an_override_holds_between_its_dates(pricing, call):
    start = datetime(2025, 11, 1, tzinfo=UTC)
    end = datetime(2025, 12, 1, tzinfo=UTC)
    pricing.create_override(
        1,
        PriceOverrideIn(
            provider="openai", model="gpt-4o", effective_from=start, effective_to=end, **OWN
        ),
    )
    moment = timedelta(microseconds=1)
    costs = [
        pricing.price(1, call(at=at)).cost_pico for at in (start - moment, start, end - moment, end)
    ]
    listed, own = int(Decimal("0.0035") * PICO), 1_200_000_000
    assert costs == [listed, own, own, listed]


def test_another_process_is_seen_within_a_second(pricing, engine, clock, book, call):
    assert pricing.price(1, call()).cost_pico == int(Decimal("0.0035") * PICO)
    other = PricingService(engine, clock, book)
    added = other.create_override(1, PriceOverrideIn(provider="openai", model="gpt-4o", **OWN))
    clock.advance(timedelta(seconds=1))
    assert pricing.price(1, call()).cost_pico == 1_200_000_000
    pricing.delete_override(1, added.id)
    assert pricing.price(1, call()).cost_pico == int(Decimal("0.0035") * PICO)


def test_another_accounts_override_is_not_found(pricing):
    added = pricing.create_override(1, PriceOverrideIn(provider="openai", model="gpt-4o", **OWN))
    with pytest.raises(NotFound):
        pricing.delete_override(2, added.id)
    assert pricing.list_overrides(2, 100, 0).data == []
    listed = pricing.list_overrides(1, 100, 0)
    assert [one.id for one in listed.data] == [added.id]
    assert listed.data[0].input_usd_per_million == Decimal(1)
    assert listed.data[0].cache_read_usd_per_million is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "m"}, "discount_percent"),
        ({"model": "m", **OWN, "discount_percent": Decimal(1)}, "discount_percent"),
        ({"match": "provider", "model": "m", "discount_percent": Decimal(1)}, "model"),
        ({"match": "provider", **OWN}, "match"),
        ({"match": "prefix", **OWN}, "model"),
        ({"model": "m", "discount_percent": Decimal("100.1")}, "discount_percent"),
        ({"model": "m", "discount_percent": Decimal(-1)}, "discount_percent"),
        ({"model": "m", "input_usd_per_million": Decimal(10_001)}, "input_usd_per_million"),
        ({"model": "m", "input_usd_per_million": Decimal("NaN")}, "input_usd_per_million"),
        ({"model": "m", "output_usd_per_million": Decimal("1E-99")}, "output_usd_per_million"),
        ({"model": "m", "web_search_usd_per_thousand": Decimal(-1)}, "web_search_usd_per_thousand"),
        ({"model": "m\n", **OWN}, "model"),
        (
            {
                "model": "m",
                **OWN,
                "effective_from": datetime(2025, 1, 2, tzinfo=UTC),
                "effective_to": datetime(2025, 1, 2, tzinfo=UTC),
            },
            "effective_to",
        ),
    ],
)
def test_what_makes_no_price_is_refused_by_name(pricing, fields, param):
    with pytest.raises(InvalidRequest) as refused:
        pricing.create_override(1, PriceOverrideIn(provider="openai", **fields))
    assert refused.value.param == param
