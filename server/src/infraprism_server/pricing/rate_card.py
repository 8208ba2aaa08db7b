"""A rate card: the rates one call is charged by, and the exact lines that follow from it.

A card is a value: once used it is stored as canonical JSON in `price_rates` and never changed.
This module neither looks prices up (price_book.py) nor stores cards (store.py).

Rates are integers of pico-dollars (1e-12 dollars) per unit. 28 of the 5,863 rates of genai-prices
are finer than that, and so is a rate after a discount: a rate therefore carries a `scale`, the
number of further decimals of its integer (`pico=13, scale=1` is 1.3 pico-dollars). A line is
quantity x rate, rounded half to even to a whole pico-dollar; a cost is the sum of its lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from infraprism_server.money import MAX_EVENT_COST_PICO, divide_half_even

ServiceTier: TypeAlias = Literal["standard", "batch", "flex", "priority"]
SERVICE_TIERS: Final[tuple[ServiceTier, ...]] = ("standard", "batch", "flex", "priority")

TOKEN_UNITS: Final = (
    "input",
    "output",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "output_audio",
)
"""Charged per token; listed prices are per million."""
CALL_UNITS: Final = ("web_search", "request")
"""Charged per search and per call; listed prices are per thousand."""
UNITS: Final = TOKEN_UNITS + CALL_UNITS

_MAX_SCALE: Final = 24


class Usage(Protocol):
    """What a call used. `input_tokens` and `output_tokens` are totals, the others are subsets."""

    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cache_read_input_tokens(self) -> int: ...
    @property
    def cache_write_input_tokens(self) -> int: ...
    @property
    def cache_write_1h_input_tokens(self) -> int: ...
    @property
    def reasoning_output_tokens(self) -> int: ...
    @property
    def input_audio_tokens(self) -> int: ...
    @property
    def output_audio_tokens(self) -> int: ...
    @property
    def web_search_requests(self) -> int: ...


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A higher rate for the whole call once its input is strictly above a number of tokens."""

    above_input_tokens: int
    pico: int
    scale: int = 0


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What one unit costs: pico / 10**scale pico-dollars, and the steps above it, ascending."""

    pico: int
    scale: int = 0
    steps: tuple[Step, ...] = ()


class RateCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Every rate of one model at one service tier, as charged: tier and discount are applied.

    A unit without a rate (None) can not be charged: a call that used it is unpriced.
    """

    provider: str
    model: str
    """The model as priced: its name in the price data, the correction or the override."""
    service_tier: str
    source: str
    """Where the rates come from, for a reader: price data, pages, overrides."""
    price_version: str
    discount_percent: str | None = None
    """Exact decimal; already taken off the rates."""
    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None
    """Only where reasoning has a rate of its own; otherwise it is charged within `output`."""
    input_audio: Rate | None = None
    output_audio: Rate | None = None
    web_search: Rate | None = None
    request: Rate | None = None

    def rates(self) -> dict[str, Rate]:
        """The rates that exist, by unit, in the order of UNITS."""
        found = ((unit, getattr(self, unit)) for unit in UNITS)
        return {unit: rate for unit, rate in found if rate is not None}


class Charge(NamedTuple):
    """A quantity of one unit and the rate it is charged at."""

    unit: str
    quantity: int
    rate: Rate


class CostLine(msgspec.Struct, frozen=True):
    """One line of a cost; the lines of a call add up to its cost exactly."""

    unit: str
    quantity: int
    unit_price_usd: Decimal
    """Exact dollars per token, per search or per call."""
    cost_pico: int
    above_input_tokens: int | None
    """The threshold whose higher rate was used; None: the base rate."""


class NotPriceable(msgspec.Struct, frozen=True):
    """Why a call can not be charged by a card."""

    reason: str


def charges(card: RateCard, usage: Usage) -> list[Charge] | NotPriceable:
    """What a card charges for a call: each used unit with its rate, or why that is not known.

    Details are taken as disjoint subsets of their total: an audio token is not a cached one.
    """
    cached = usage.cache_read_input_tokens
    written = usage.cache_write_input_tokens
    written_1h = usage.cache_write_1h_input_tokens
    audio_in = usage.input_audio_tokens
    audio_out = usage.output_audio_tokens
    reasoning = usage.reasoning_output_tokens if card.reasoning is not None else 0
    plain_in = usage.input_tokens - cached - written - written_1h - audio_in
    plain_out = usage.output_tokens - audio_out - reasoning
    if plain_in < 0 or plain_out < 0:
        return NotPriceable("the token details add up to more than their total")
    found: list[Charge] = []
    for unit, quantity, rate in (
        ("input", plain_in, card.input),
        ("cache_read", cached, card.cache_read),
        ("cache_write", written, card.cache_write),
        ("cache_write_1h", written_1h, card.cache_write_1h),
        ("input_audio", audio_in, card.input_audio),
        ("output", plain_out, card.output),
        ("reasoning", reasoning, card.reasoning),
        ("output_audio", audio_out, card.output_audio),
        ("web_search", usage.web_search_requests, card.web_search),
    ):
        if quantity:
            if rate is None:
                return NotPriceable(f"{card.model} has no {unit} rate at tier {card.service_tier}")
            found.append(Charge(unit, quantity, rate))
    if card.request is not None and found:
        found.append(Charge("request", 1, card.request))
    return found


def charge_pico(charge: Charge, input_tokens: int) -> int:
    """The cost of one charge in pico-dollars, rounded half to even."""
    rate = charge.rate
    pico, scale = rate.pico, rate.scale
    for step in rate.steps:
        if input_tokens > step.above_input_tokens:
            pico, scale = step.pico, step.scale
    if scale:
        return divide_half_even(charge.quantity * pico, 10**scale)
    return charge.quantity * pico


def total_pico(card: RateCard, usage: Usage) -> int | None:
    """The cost of a call in pico-dollars; None where a used unit has no rate.

    More than a million dollars for one call is a mistake in the numbers, not a price: None.
    """
    found = charges(card, usage)
    if isinstance(found, NotPriceable):
        return None
    input_tokens = usage.input_tokens
    total = 0
    for charge in found:
        total += charge_pico(charge, input_tokens)
    return total if total <= MAX_EVENT_COST_PICO else None


FLAT_UNITS: Final = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
_MAX_FLAT_PICO: Final = 1_000_000_000
"""A thousand dollars for a million tokens: times the tokens of a call that is within 64 bits."""


class FlatRates(NamedTuple):
    """Whole pico-dollars per token, for calls that use no other units and are below all steps."""

    rates: tuple[int | None, ...]
    """In the order of FLAT_UNITS; None where the card has none, or none as simple."""
    up_to_input_tokens: int
    """The longest input that is charged so."""


def flat_rates(card: RateCard) -> FlatRates | None:
    """The card's rates of FLAT_UNITS; None where reasoning or each call is charged apart."""
    if card.reasoning is not None or card.request is not None:
        return None
    found: list[Rate | None] = [getattr(card, unit) for unit in FLAT_UNITS]
    steps = [step.above_input_tokens for rate in found if rate for step in rate.steps]
    return FlatRates(
        tuple(None if rate is None or not _is_flat(rate) else rate.pico for rate in found),
        min(steps, default=1_000_000_000),
    )


def _is_flat(rate: Rate) -> bool:
    return not rate.scale and 0 <= rate.pico <= _MAX_FLAT_PICO


def cost_lines(card: RateCard, usage: Usage) -> list[CostLine] | NotPriceable:
    """The lines of a call's cost, or why it can not be priced."""
    found = charges(card, usage)
    if isinstance(found, NotPriceable):
        return found
    return [_line(charge, usage.input_tokens) for charge in found]


def _line(charge: Charge, input_tokens: int) -> CostLine:
    used = max(
        (step for step in charge.rate.steps if input_tokens > step.above_input_tokens),
        key=lambda step: step.above_input_tokens,
        default=None,
    )
    priced = used or charge.rate
    return CostLine(
        unit=charge.unit,
        quantity=charge.quantity,
        unit_price_usd=_usd(priced.pico, priced.scale),
        cost_pico=charge_pico(charge, input_tokens),
        above_input_tokens=used.above_input_tokens if used else None,
    )


def rate_from_usd(price: Decimal | Fraction, per: int) -> Rate | None:
    """The rate of `price` dollars per `per` units; None when it is not a finite decimal.

    `per` is 1,000,000 for tokens and 1,000 for searches and calls.
    """
    exact = Fraction(price) * 10**12 / per
    for scale in range(_MAX_SCALE + 1):
        scaled = exact * 10**scale
        if scaled.denominator == 1:
            return Rate(scaled.numerator, scale)
    return None


def with_steps(base: Rate, steps: list[tuple[int, Rate]]) -> Rate:
    """A rate with thresholds: (strictly above this many input tokens, the rate then)."""
    ordered = sorted(steps, key=lambda step: step[0])
    return Rate(
        base.pico, base.scale, tuple(Step(above, rate.pico, rate.scale) for above, rate in ordered)
    )


def multiplied(rate: Rate, factor: Fraction) -> Rate | None:
    """The rate and all its steps times a factor; None when that is not a finite decimal."""
    base = _times(rate.pico, rate.scale, factor)
    steps = [
        (step.above_input_tokens, _times(step.pico, step.scale, factor)) for step in rate.steps
    ]
    if base is None:
        return None
    whole = [(above, found) for above, found in steps if found is not None]
    return with_steps(base, whole) if len(whole) == len(steps) else None


def usd_per(rate: Rate, per: int) -> Decimal:
    """The base rate in dollars per `per` units, exactly."""
    return _usd(rate.pico * per, rate.scale)


def with_rates(card: RateCard, rates: Mapping[str, Rate]) -> RateCard:
    """The card with these rates, by unit, and no others."""
    return msgspec.structs.replace(card, **{unit: rates.get(unit) for unit in UNITS})


def canonical_json(card: RateCard) -> str:
    """The card as JSON that is the same for the same card: field order is fixed, no spaces."""
    return msgspec.json.encode(card).decode()


def card_from_json(text: str) -> RateCard:
    """The card that `canonical_json` wrote."""
    return msgspec.json.decode(text, type=RateCard)


def digest(card: RateCard) -> str:
    """SHA-256 of the canonical JSON, hexadecimal: what makes a stored card unique."""
    return hashlib.sha256(canonical_json(card).encode()).hexdigest()


def _times(pico: int, scale: int, factor: Fraction) -> Rate | None:
    return rate_from_usd(Fraction(pico, 10 ** (scale + 12)) * factor, 1)


def _usd(pico: int, scale: int) -> Decimal:
    with localcontext(prec=60):
        amount = Decimal(pico).scaleb(-12 - scale).normalize()
    exponent = amount.as_tuple().exponent
    return amount if isinstance(exponent, int) and exponent <= 0 else amount.quantize(Decimal(1))
