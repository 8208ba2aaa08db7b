"""The dated rate cards of one model at one service tier, compiled from price data and corrections.

genai-prices states prices with conditions (from a date on; between two times of day). Compiled,
they are edges on the time line and edges within a day, with a card in each field of that grid, so
that a lookup is a bisection. Conditions are evaluated by genai-prices itself, once per field: its
rules are not written a second time here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from infraprism_server.clock import MICROSECONDS_PER_DAY, from_us, to_us
from infraprism_server.money import MAX_EVENT_COST_PICO
from infraprism_server.pricing.corrections import PriceRow, TierRow
from infraprism_server.pricing.price_data import (
    BEFORE_ALL_PRICES_US,
    Rates,
    day_edges_us,
    rates_of,
    standard_rates,
    start_dates,
    start_of,
    variants,
)
from infraprism_server.pricing.rate_card import (
    CALL_UNITS,
    RateCard,
    Usage,
    digest,
    flat_rates,
    multiplied,
    total_pico,
    with_rates,
)

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo


class Priced:
    """A card in use: with its digest and its shortest calculation, computed once.

    Compared by identity.
    """

    __slots__ = ("card", "digest", "flat")

    def __init__(self, card: RateCard) -> None:
        self.card = card
        self.digest = digest(card)
        self.flat = flat_rates(card)
        """What most calls need, as integers; None where the card is not so simple."""

    def total_pico(self, usage: Usage) -> int | None:
        """What `rate_card.total_pico` says, in a third of the time for nearly every call."""
        flat = self.flat
        sent, cached = usage.input_tokens, usage.cache_read_input_tokens
        if (
            flat is None
            or sent > flat.up_to_input_tokens
            or usage.cache_write_input_tokens
            or usage.cache_write_1h_input_tokens
            or usage.input_audio_tokens
            or usage.output_audio_tokens
            or usage.web_search_requests
        ):
            return total_pico(self.card, usage)
        of_input, of_cached, _, _, of_output = flat.rates
        if of_input is None or of_cached is None or of_output is None or cached > sent:
            return total_pico(self.card, usage)
        total = (sent - cached) * of_input + cached * of_cached + usage.output_tokens * of_output
        return total if total <= MAX_EVENT_COST_PICO else None


class Schedule:
    """The cards of one (provider, model, service tier) over time. Immutable."""

    __slots__ = ("_cards", "_day_edges", "_edges")

    def __init__(
        self,
        edges: Sequence[int],
        day_edges: Sequence[int],
        cards: Sequence[Sequence[Priced | None]],
    ) -> None:
        self._edges = edges
        self._day_edges = day_edges
        self._cards = cards

    def at(self, at_us: int) -> Priced | None:
        """The card in force at an instant, or None: no price is known then."""
        row = self._cards[bisect_right(self._edges, at_us)]
        if not self._day_edges:
            return row[0]
        return row[bisect_right(self._day_edges, at_us % MICROSECONDS_PER_DAY)]

    def throughout(self, first_us: int, last_us: int) -> Priced | None:
        """The one card in force at every instant from first to last; None where it changes."""
        place = bisect_right(self._edges, first_us)
        if self._day_edges or place != bisect_right(self._edges, last_us):
            return None
        return self._cards[place][0]

    def span_us(self, at_us: int) -> tuple[int | None, int | None]:
        """The dated span around an instant, [start, end); None where it is open."""
        place = bisect_right(self._edges, at_us)
        start = self._edges[place - 1] if place else None
        return start, self._edges[place] if place < len(self._edges) else None

    @property
    def is_empty(self) -> bool:
        """Whether no price is known at any time."""
        return all(card is None for row in self._cards for card in row)


class PriceSource:
    """What is known of one model before it is compiled: price data, our rows, names to show."""

    def __init__(
        self,
        *,
        provider: str,
        model: str,
        info: ModelInfo | None,
        listed_by: str | None,
        others: dict[str, ModelInfo],
        price_rows: Sequence[PriceRow],
        tier_rows: Sequence[TierRow],
        version: str,
    ) -> None:
        self.provider = provider
        self.model = model
        self.info = info
        self.listed_by = listed_by
        """The provider whose price data has the model: another one's where they share models."""
        self.others = others
        """The models that `same_as` rows point to, by name."""
        self.price_rows = price_rows
        self.tier_rows = tier_rows
        self.version = version


def compiled(source: PriceSource, service_tier: str) -> Schedule:
    """The schedule of a model at a service tier."""
    infos = [*source.others.values(), *([source.info] if source.info else [])]
    rows: list[PriceRow | TierRow] = [*source.price_rows, *source.tier_rows]
    dates = {to_us(start) for info in infos for start in start_dates(info)}
    edges = sorted(dates | {edge for row in rows for edge in row.edges_us()})
    day_edges = sorted({edge for info in infos for edge in day_edges_us(info)} - {0})
    seen: dict[RateCard, Priced] = {}

    def priced(at_us: int) -> Priced | None:
        card = _card_at(source, service_tier, at_us)
        return None if card is None else seen.setdefault(card, Priced(card))

    starts = (BEFORE_ALL_PRICES_US, *edges)
    slots = (0, *day_edges)
    cards = tuple(tuple(priced(_moment_within(start, slot)) for slot in slots) for start in starts)
    return Schedule(tuple(edges), tuple(day_edges), cards)


def _card_at(source: PriceSource, service_tier: str, at_us: int) -> RateCard | None:
    rows = [row for row in source.price_rows if row.holds_at(at_us)]
    standard = _standard_rates(source, rows, at_us)
    if standard is None:
        return None
    sources = [_data_source(source)] if source.info is not None else []
    sources += [row.cited() for row in rows if row.service_tier == "standard"]
    rates: Rates | None = standard
    if service_tier != "standard":
        rates, said = _tier_rates(source, rows, standard, service_tier, at_us)
        sources += said
    if not rates:
        return None
    card = RateCard(
        provider=source.provider,
        model=source.model,
        service_tier=service_tier,
        source="; ".join(dict.fromkeys(sources)),
        price_version=source.version,
    )
    return with_rates(card, rates)


def _standard_rates(source: PriceSource, rows: Sequence[PriceRow], at_us: int) -> Rates | None:
    info = _info_at(source, rows)
    rates = standard_rates(info, at_us) if info is not None else {}
    for row in rows:
        if row.service_tier != "standard":
            continue
        if row.kind == "withdrawn":
            return None
        if row.kind == "replace":
            rates = {}
        _lay_over(rates, row)
    return rates


def _tier_rates(
    source: PriceSource, rows: Sequence[PriceRow], standard: Rates, service_tier: str, at_us: int
) -> tuple[Rates | None, list[str]]:
    info = _info_at(source, rows)
    found = _stated_tier(source, info, service_tier, at_us)
    said: list[str] = []
    if found is not None:
        rates: Rates | None = {**standard, **found}
    else:
        rates = None
        for row in source.tier_rows:
            if not row.holds_at(at_us):
                continue
            derived = (
                _backdated(info, standard, service_tier)
                if row.kind == "backdate" and info is not None and source.listed_by is None
                else _multiplied(row, standard)
                if row.kind == "multiply"
                else None
            )
            if derived is not None:
                rates, said = derived, [row.cited()]
    for price_row in rows:
        if price_row.service_tier == service_tier and rates is not None:
            _lay_over(rates, price_row)
            said.append(price_row.cited())
    return rates, said


def _info_at(source: PriceSource, rows: Sequence[PriceRow]) -> ModelInfo | None:
    stood_for = [row.same_as for row in rows if row.kind == "same_as" and row.same_as]
    return source.others.get(stood_for[-1]) if stood_for else source.info


def _stated_tier(
    source: PriceSource, info: ModelInfo | None, service_tier: str, at_us: int
) -> Rates | None:
    """The rates that price data states for a tier, in force at the instant, or None.

    As in genai-prices, a tier of another provider's listing is not taken over.
    """
    if info is None or source.listed_by is not None:
        return None
    moment = from_us(at_us)
    active = [
        variant
        for variant in variants(info, service_tier)
        if variant.constraint is None or variant.constraint.active(moment)
    ]
    if not active:
        return None
    rates: Rates = {}
    for variant in active:
        rates = {**rates_of(variant.prices), **rates}
    return rates


def _backdated(info: ModelInfo, standard: Rates, service_tier: str) -> Rates | None:
    first = min(variants(info, service_tier), key=start_of, default=None)
    if first is None:
        return None
    then = rates_of(info.get_prices(start_of(first)))
    rates = dict(standard)
    for unit, tier_rate in rates_of(first.prices).items():
        listed, now = then.get(unit), standard.get(unit)
        if now == listed or now is None:
            rates[unit] = tier_rate
            continue
        scaled = None
        if listed is not None and listed.pico:
            ratio = Fraction(tier_rate.pico, 10**tier_rate.scale) / Fraction(
                listed.pico, 10**listed.scale
            )
            scaled = multiplied(now, ratio)
        if scaled is None:
            rates.pop(unit)
        else:
            rates[unit] = scaled
    return rates


def _multiplied(row: TierRow, standard: Rates) -> Rates | None:
    rates: Rates = {}
    for unit, rate in standard.items():
        if unit in row.units:
            scaled = multiplied(rate, row.exact_factor())
            if scaled is not None:
                rates[unit] = scaled
        elif unit in row.keep or unit in CALL_UNITS:
            rates[unit] = rate
    return rates


def _lay_over(rates: Rates, row: PriceRow) -> None:
    for unit, rate in row.rates().items():
        if rate is None:
            rates.pop(unit, None)
        else:
            rates[unit] = rate


def _moment_within(start_us: int, slot_us: int) -> int:
    """An instant at or after a span's start whose time of day is the start of a slot."""
    moment = start_us - start_us % MICROSECONDS_PER_DAY + slot_us
    return moment if moment >= start_us else moment + MICROSECONDS_PER_DAY


def _data_source(source: PriceSource) -> str:
    listed_by = source.listed_by or source.provider
    return (
        f"genai-prices {listed_by}/{source.info.id}" if source.info is not None else "genai-prices"
    )
