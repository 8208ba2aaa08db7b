"""Many calls priced at once, column by column: most are tokens of five kinds at flat rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from infraprism_server.event_store.repeated import Repeated
from infraprism_server.money import MAX_EVENT_COST_PICO
from infraprism_server.pricing.rate_card import FLAT_UNITS, FlatRates, Usage

Numbers = NDArray[np.int64]
ModelAndTier = tuple[str, str, str]
"""Provider, model and service tier."""
FlatRow = tuple[FlatRates, int]
"""Rates, and the row that they are stored in."""

_PARTS: Final = {
    "cache_read": "cache_read_input_tokens",
    "cache_write": "cache_write_input_tokens",
    "cache_write_1h": "cache_write_1h_input_tokens",
}
_SELDOM: Final = ("input_audio_tokens", "output_audio_tokens", "web_search_requests")


class Call(Usage, Protocol):
    """What decides which card a call is charged by, beside its instant; and what it used."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def service_tier(self) -> str: ...
    @property
    def success(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class CallColumns:
    """What was called and what it used, column by column; details are at most their totals."""

    names: Repeated[ModelAndTier]
    used: Mapping[str, Numbers]
    """By the fields of Usage; a detail that nobody used may be absent."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls one by one, when they were made, and their columns where somebody has them."""

    each: Sequence[Call]
    at_us: Sequence[int] | Numbers
    columns: CallColumns | None = None


class Quotes(NamedTuple):
    """What calls cost, in order."""

    cost_pico: Numbers
    """Nothing where no price is known."""
    rate_id: Numbers
    """The row of the rates, from 1 on; 0 where none were used."""
    known: NDArray[np.bool_]
    """Whether a price is known."""

    @classmethod
    def of(cls, quoted: Sequence[tuple[int | None, int | None]]) -> Quotes:
        """From costs and rows one by one."""
        return cls(
            np.array([cost_pico or 0 for cost_pico, _ in quoted], np.int64),
            np.array([rate_id or 0 for _, rate_id in quoted], np.int64),
            np.array([cost_pico is not None for cost_pico, _ in quoted], np.bool_),
        )

    def at(self, place: int) -> tuple[int | None, int | None]:
        """The cost and the row of one call; None where there is none."""
        cost_pico = int(self.cost_pico[place]) if self.known[place] else None
        return cost_pico, int(self.rate_id[place]) or None


def quotes_by_list(
    calls: CallColumns,
    rates: Mapping[ModelAndTier, FlatRow],
    quote: Callable[[int], tuple[int | None, int | None]],
) -> Quotes:
    """What the calls cost; `quote` answers for the places where that is not a flat sum.

    Exact: no product or sum of such rates and of tokens that ingest accepts leaves 64 bits.
    """
    names, used = calls.names, calls.used
    rows = [rates.get(name, _NO_RATES) for name in names.values]
    sent = used["input_tokens"]
    parts = {unit: used[field] for unit, field in _PARTS.items() if field in used}
    plain = sent - sum(parts.values()) if parts else sent
    cost_pico = np.zeros(names.length, np.int64)
    odd = (sent > names.spread([flat.up_to_input_tokens for flat, _ in rows])) | (plain < 0)
    for unit, tokens in {"input": plain, "output": used["output_tokens"], **parts}.items():
        of_unit = [flat.rates[FLAT_UNITS.index(unit)] for flat, _ in rows]
        cost_pico += tokens * names.spread([rate or 0 for rate in of_unit])
        if None in of_unit:
            odd |= (tokens > 0) & (names.spread([rate is None for rate in of_unit]) > 0)
    for field in _SELDOM:
        if field in used:
            odd |= used[field] > 0
    odd |= (cost_pico == 0) | (cost_pico > MAX_EVENT_COST_PICO)
    rate_id = names.spread([row for _, row in rows])
    known = np.ones(names.length, np.bool_)
    for place in np.flatnonzero(odd).tolist():
        cost, row = quote(place)
        cost_pico[place], rate_id[place], known[place] = cost or 0, row or 0, cost is not None
    return Quotes(cost_pico, rate_id, known)


_NO_RATES: Final[FlatRow] = (FlatRates((None,) * len(FLAT_UNITS), 0), 0)
