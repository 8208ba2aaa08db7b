"""A limit: whom it is for, what it counts, and what follows from what was spent. Pure."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from infraprism_server.errors import InvalidRequest
from infraprism_server.limits.period import PeriodKind
from infraprism_server.money import decimal_from_pico, pico_from_decimal

Metric: TypeAlias = Literal["cost_usd", "tokens", "requests"]
Action: TypeAlias = Literal["notify", "block"]
METRICS: Final[tuple[Metric, ...]] = ("cost_usd", "tokens", "requests")
State: TypeAlias = Literal["ok", "approaching", "reached"]

EACH: Final = "*"
"""As entity_id: each entity of the type, on its own."""
REACHED: Final = "1"
"""The threshold that is the amount itself."""
MAX_DOLLARS: Final = 1_000_000_000
MAX_COUNT: Final = 1_000_000_000_000_000
MAX_APPROACHING: Final = 10
_FRACTION_DECIMALS: Final = 6


class Entity(NamedTuple):
    """Whose spending it is."""

    type: str
    id: str


class Spent(msgspec.Struct, gc=False):
    """What an entity spent in some time."""

    cost_pico: int = 0
    tokens: int = 0
    requests: int = 0
    unpriced: int = 0
    """How many of the requests have no price, so that cost_pico says too little."""

    def add(self, other: Spent) -> None:
        self.cost_pico += other.cost_pico
        self.tokens += other.tokens
        self.requests += other.requests
        self.unpriced += other.unpriced

    def of(self, metric: Metric) -> int:
        """In the metric's unit: pico-dollars, tokens or requests."""
        if metric == "cost_usd":
            return self.cost_pico
        return self.tokens if metric == "tokens" else self.requests


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as it is stored. `amount` is in the metric's unit, pico-dollars for a cost."""

    id: str
    account: int
    entity_type: str
    entity_id: str
    metric: Metric
    amount: int
    period: PeriodKind
    timezone: str
    action: Action
    approaching: tuple[str, ...]
    """Fractions of the amount, exact decimals as text, ascending."""
    created_at_us: int
    updated_at_us: int

    def covers(self, entity: Entity) -> bool:
        return self.entity_type == entity.type and self.entity_id in (EACH, entity.id)

    def thresholds(self) -> tuple[tuple[str, int], ...]:
        """(name, the least spent that passes it), ascending; the amount itself comes last."""
        return _thresholds(self.amount, self.approaching)

    def state(self, spent: int) -> State:
        """Where an entity stands that spent so much of the metric."""
        if spent >= self.amount:
            return "reached"
        lowest = self.thresholds()[0][1]
        return "approaching" if spent >= lowest else "ok"


@lru_cache(maxsize=4_096)
def _thresholds(amount: int, approaching: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    with localcontext(prec=60, rounding=ROUND_CEILING):
        named = [
            (fraction, int((amount * Decimal(fraction)).to_integral_value()))
            for fraction in approaching
        ]
    return (*named, (REACHED, amount))


def shown(metric: Metric, units: int) -> Decimal:
    """An amount of the metric as the wire has it: dollars, or a whole number."""
    return decimal_from_pico(units) if metric == "cost_usd" else Decimal(units)


def checked_amount(metric: Metric, amount: Decimal) -> int:
    """The amount in the metric's unit. InvalidRequest unless it is one."""
    if metric == "cost_usd":
        if not amount.is_finite() or not 0 < amount <= MAX_DOLLARS:
            raise InvalidRequest(
                f"'amount' is a number of dollars above 0, at most {MAX_DOLLARS:,}", "amount"
            )
        try:
            return pico_from_decimal(amount)
        except ValueError:
            raise InvalidRequest("'amount' has at most 12 decimals", "amount") from None
    if not amount.is_finite() or not 1 <= amount <= MAX_COUNT or amount != int(amount):
        raise InvalidRequest(
            f"'amount' is a whole number of {metric} from 1 to {MAX_COUNT:,}", "amount"
        )
    return int(amount)


def checked_approaching(fractions: tuple[Decimal, ...]) -> tuple[str, ...]:
    """Fractions of the amount, each once, ascending. InvalidRequest names the one at fault."""
    for place, fraction in enumerate(fractions):
        exponent = fraction.as_tuple().exponent if fraction.is_finite() else None
        if not isinstance(exponent, int) or not 0 < fraction < 1 or -exponent > _FRACTION_DECIMALS:
            raise InvalidRequest(
                "A fraction is above 0 and below 1, with at most "
                f"{_FRACTION_DECIMALS} decimals: 0.8 is 80 %",
                f"approaching[{place}]",
            )
    return tuple(format(each.normalize(), "f") for each in sorted(set(fractions)))
