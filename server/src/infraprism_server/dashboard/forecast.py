"""What this month will have cost at its end, and how sure that is.

The days of the last four weeks say what a day costs and how much days differ. The range holds the
end of the month in four of five months, if days go on as they did; it knows of no growth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEAST_DAYS = 3
MOST_DAYS = 28
_EIGHTY_PERCENT = 1.2816
"""Standard deviations on either side that hold 80 % of a normal distribution."""


class Forecast(NamedTuple):
    """Pico-dollars at the end of the month."""

    expected_pico: int
    low_pico: int
    high_pico: int
    days: int
    """How many days it was made from."""


def forecast_month(
    spent_pico: int, full_days_pico: Sequence[int], days_left: float
) -> Forecast | None:
    """None with fewer than three full days since the first spend.

    `full_days_pico` is what each of the last days cost, oldest first; `days_left` of the month is
    a fraction, as today is not over.
    """
    first = next((place for place, day in enumerate(full_days_pico) if day), len(full_days_pico))
    days = list(full_days_pico[first:])[-MOST_DAYS:]
    if len(days) < LEAST_DAYS:
        return None
    mean = math.fsum(days) / len(days)
    variance = math.fsum((day - mean) ** 2 for day in days) / (len(days) - 1)
    # Days still to come differ, and the mean itself is known from a few days only.
    spread = math.sqrt(variance * (days_left + days_left**2 / len(days)))
    rest = mean * days_left
    half = _EIGHTY_PERCENT * spread
    return Forecast(
        expected_pico=spent_pico + round(rest),
        low_pico=spent_pico + max(0, round(rest - half)),
        high_pico=spent_pico + round(rest + half),
        days=len(days),
    )
