"""Properties of cost lines: exact, additive, monotone, half-even, never a float."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infraprism_server.event_store.contract import Event
from infraprism_server.pricing.rate_card import (
    Charge,
    CostLine,
    NotPriceable,
    Rate,
    RateCard,
    canonical_json,
    card_from_json,
    charge_pico,
    cost_lines,
    digest,
    flat_rates,
    multiplied,
    rate_from_usd,
    total_pico,
    usd_per,
    with_rates,
    with_steps,
)
from infraprism_server.pricing.schedule import Priced

CARD = RateCard(provider="p", model="m", service_tier="standard", source="test", price_version="1")
tokens = st.integers(0, 2_000_000)
prices = st.decimals(0, 1000, places=9)
rates = st.builds(lambda usd: rate_from_usd(usd, 1_000_000), prices)
UNITS = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "output_audio",
)
full_cards = st.fixed_dictionaries(
    dict.fromkeys(UNITS, rates) | {"web_search": rates, "request": rates}
).map(lambda found: with_rates(CARD, found))


@st.composite
def usages(draw):
    parts = {name: draw(tokens) for name in ("plain", "read", "w5", "w1h", "ain")}
    out = {name: draw(tokens) for name in ("plain", "reasoning", "aout")}
    return event(
        input_tokens=sum(parts.values()),
        cache_read_input_tokens=parts["read"],
        cache_write_input_tokens=parts["w5"],
        cache_write_1h_input_tokens=parts["w1h"],
        input_audio_tokens=parts["ain"],
        output_tokens=sum(out.values()),
        reasoning_output_tokens=out["reasoning"],
        output_audio_tokens=out["aout"],
        web_search_requests=draw(st.integers(0, 100)),
    )


def event(**usage: int) -> Event:
    return Event(id="x", timestamp_us=0, provider="p", model="m", **usage)


def lines_of(card: RateCard, usage: Event) -> list[CostLine]:
    lines = cost_lines(card, usage)
    assert not isinstance(lines, NotPriceable)
    return lines


@given(full_cards, usages())
def test_the_lines_add_up_and_cover_every_token(card, usage):
    lines = lines_of(card, usage)
    total = total_pico(card, usage)
    assert total is None or total == sum(line.cost_pico for line in lines)
    counted = {line.unit: line.quantity for line in lines}
    inputs = ("input", "cache_read", "cache_write", "cache_write_1h", "input_audio")
    assert sum(counted.get(unit, 0) for unit in inputs) == usage.input_tokens
    outputs = ("output", "reasoning", "output_audio")
    assert sum(counted.get(unit, 0) for unit in outputs) == usage.output_tokens


@given(full_cards, usages())
def test_every_line_is_its_quantity_times_its_price_rounded_half_even(card, usage):
    for line in lines_of(card, usage):
        exact = Fraction(line.unit_price_usd) * line.quantity * 10**12
        assert line.cost_pico == round(exact)  # Fraction rounds half to even
        assert isinstance(line.cost_pico, int)
        assert isinstance(line.unit_price_usd, Decimal)


@given(full_cards, tokens, tokens)
def test_splitting_a_call_of_whole_pico_rates_changes_nothing(card, left, right):
    whole = with_rates(CARD, {"input": Rate(card.input.pico)})
    once, *split = (
        total_pico(whole, event(input_tokens=part)) for part in (left + right, left, right)
    )
    assume(once is not None)  # it is None beyond what a call may cost
    assert once == sum(split)


@given(rates, tokens, tokens)
def test_more_tokens_never_cost_less(rate, left, more):
    def cost(quantity: int) -> int:
        return charge_pico(Charge("input", quantity, rate), quantity)

    assert cost(left) <= cost(left + more)


@given(st.sampled_from([*UNITS, "web_search"]), full_cards, usages())
def test_a_used_unit_without_a_rate_has_no_price(unit, card, usage):
    """Never zero and quiet. Reasoning without a rate of its own is output."""
    found = with_rates(card, {name: r for name, r in card.rates().items() if name != unit})
    used = {line.unit for line in lines_of(card, usage)}
    if unit == "reasoning":
        if "output" in used or "reasoning" in used:
            assert not isinstance(cost_lines(found, usage), NotPriceable)
    elif unit in used:
        assert total_pico(found, usage) is None
        assert isinstance(cost_lines(found, usage), NotPriceable)


def test_the_threshold_is_strictly_above_and_moves_the_whole_call():
    stepped = with_steps(Rate(3_000_000), [(200_000, Rate(6_000_000))])
    card = with_rates(CARD, {"input": stepped, "output": Rate(15_000_000)})
    assert total_pico(card, event(input_tokens=200_000)) == 200_000 * 3_000_000
    assert total_pico(card, event(input_tokens=200_001)) == 200_001 * 6_000_000
    [line] = lines_of(card, event(input_tokens=200_001))
    assert line.above_input_tokens == 200_000


@pytest.mark.parametrize(("quantity", "cost"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_half_a_pico_rounds_to_even(quantity, cost):
    """Half a pico-dollar each: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2, 3.5 -> 4."""
    assert charge_pico(Charge("input", quantity, Rate(5, 1)), quantity) == cost


def test_details_beyond_their_total_have_no_price():
    card = with_rates(CARD, {"input": Rate(1), "cache_read": Rate(1), "input_audio": Rate(1)})
    usage = event(input_tokens=10, cache_read_input_tokens=6, input_audio_tokens=6)
    assert total_pico(card, usage) is None


def test_more_than_a_million_dollars_is_a_mistake_not_a_price():
    card = with_rates(CARD, {"input": rate_from_usd(Decimal(10_000), 1_000_000)})
    assert total_pico(card, event(input_tokens=100_000_000)) == 10**18
    assert total_pico(card, event(input_tokens=100_000_001)) is None


@given(full_cards)
def test_a_card_survives_storage_and_keeps_its_digest(card):
    read = card_from_json(canonical_json(card))
    assert read == card
    assert digest(read) == digest(card)


def test_the_digest_tells_cards_apart():
    other = msgspec.structs.replace(CARD, price_version="2")
    assert digest(CARD) != digest(other)


@given(prices)
def test_a_price_is_kept_exactly(usd):
    rate = rate_from_usd(usd, 1_000_000)
    assert rate is not None
    assert usd_per(rate, 1_000_000) == usd


@given(rates, st.decimals(0, 100, places=4))
def test_a_discount_is_exact(rate, percent):
    factor = 1 - Fraction(percent) / 100
    scaled = multiplied(rate, factor)
    assert scaled is not None
    exact = Fraction(rate.pico, 10**rate.scale) * factor
    assert Fraction(scaled.pico, 10**scaled.scale) == exact


def test_a_third_is_not_a_price():
    assert multiplied(Rate(1), Fraction(1, 3)) is None


whole_rates = st.builds(Rate, st.integers(0, 10**9))
plain_cards = st.builds(
    RateCard,
    provider=st.just("p"),
    model=st.just("m"),
    service_tier=st.just("standard"),
    source=st.just("s"),
    price_version=st.just("v"),
    input=whole_rates,
    output=whole_rates,
    cache_read=st.none() | whole_rates,
)


@given(plain_cards | full_cards, usages())
def test_the_short_calculation_says_what_the_long_one_says(card, usage):
    assert Priced(card).total_pico(usage) == total_pico(card, usage)


def test_nearly_every_list_price_takes_the_short_calculation(book):
    priced = book.find("openai", "gpt-4o", "standard", 1_762_000_000_000_000)
    assert flat_rates(priced.card) is not None
