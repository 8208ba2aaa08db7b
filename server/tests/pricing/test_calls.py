"""Calls that are priced together cost what each costs by itself."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.event_store.contract import Event
from infraprism_server.pricing.calls import quotes_by_list
from infraprism_server.pricing.rate_card import (
    FLAT_UNITS,
    Rate,
    RateCard,
    Step,
    flat_rates,
    total_pico,
    with_rates,
)
from server.tests.pricing.columns import columns_of

_CARD = RateCard(provider="p", model="m", service_tier="standard", source="s", price_version="1")
_MOST = 1_000_000_000
"""Tokens that ingest accepts in one call."""
_pico = st.sampled_from([0, 1, 2_500_000, 10**9, 10**9 + 1, 10**12]) | st.integers(0, 10**9)
_rates = st.builds(
    Rate,
    _pico,
    st.sampled_from([0, 0, 0, 2]),
    st.sampled_from([(), (), (Step(200_000, 7),), (Step(1_000, 10**9), Step(200_000, 5))]),
)
_cards = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*FLAT_UNITS, "reasoning", "input_audio", "web_search"), _rates)
).map(lambda rates: with_rates(_CARD, rates))
_tokens = st.sampled_from([0, 0, 1, 200_000, 200_001]) | st.integers(0, 400_000)


@st.composite
def _calls(draw: st.DrawFn) -> Event:
    parts = {
        "cache_read_input_tokens": draw(_tokens),
        "cache_write_input_tokens": draw(st.just(0) | _tokens),
        "cache_write_1h_input_tokens": draw(st.just(0) | _tokens),
        "input_audio_tokens": draw(st.just(0) | _tokens),
    }
    plain = draw(_tokens | st.just(_MOST - sum(parts.values())))
    return Event(
        id="x",
        timestamp_us=0,
        provider="p",
        model=draw(st.sampled_from("abc")),
        input_tokens=sum(parts.values()) + plain,
        output_tokens=draw(_tokens | st.just(_MOST)),
        reasoning_output_tokens=draw(st.sampled_from([0, 1])),
        web_search_requests=draw(st.sampled_from([0, 0, 3])),
        **parts,
    )


@given(st.fixed_dictionaries(dict.fromkeys("abc", _cards)), st.lists(_calls(), min_size=1))
def test_calls_together_cost_what_each_costs(cards: dict[str, RateCard], calls: list) -> None:
    calls = [
        msgspec.structs.replace(
            call, reasoning_output_tokens=min(call.reasoning_output_tokens, call.output_tokens)
        )
        for call in calls
    ]
    expected = [total_pico(cards[call.model], call) for call in calls]
    rows = {"a": 1, "b": 2, "c": 3}
    rates = {
        ("p", model, "standard"): (flat, rows[model])
        for model, card in cards.items()
        if (flat := flat_rates(card)) is not None
    }

    def quote(place: int) -> tuple[int | None, int | None]:
        cost = expected[place]
        return (None, None) if cost is None else (cost, rows[calls[place].model])

    quotes = quotes_by_list(columns_of(calls), rates, quote)
    for place, cost in enumerate(expected):
        row = None if cost is None else rows[calls[place].model]
        assert quotes.at(place) == (cost, row)


def test_ordinary_calls_are_not_looked_at_one_by_one() -> None:
    card = with_rates(_CARD, {unit: Rate(1_000) for unit in ("input", "cache_read", "output")})
    flat = flat_rates(card)
    assert flat is not None
    call = Event("x", 0, "p", "a", input_tokens=10, output_tokens=3, cache_read_input_tokens=2)
    asked: list[int] = []

    def quote(place: int) -> tuple[None, None]:
        asked.append(place)
        return None, None

    quotes = quotes_by_list(
        columns_of([call] * 3),
        {("p", "a", "standard"): (flat, 4)},
        quote,
    )
    assert asked == []
    assert [part.tolist() for part in quotes] == [[13_000] * 3, [4] * 3, [True] * 3]
