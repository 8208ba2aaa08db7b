"""Drift: a week that costs far more than the four before it, though no hour of it is odd."""

from __future__ import annotations

from typing import Final

import numpy as np

from infraprism_server.anomalies.detection import is_silent
from infraprism_server.anomalies.finding import DAY_HOURS, Finding, Tuning
from infraprism_server.anomalies.history import Floats, History

WEEK_HOURS: Final = 168
WEEKS: Final = 4
LOOK_EVERY_HOURS: Final = 6
"""A week changes slowly: it need not be looked at each hour."""
DRIFT_RISE: Final = 0.30
DRIFT_SPREADS: Final = 3.0
SILENT_DRIFT_SPREADS: Final = 4.0
"""Weeks of entities that work now and then differ by more than chance alone."""


def find_drifts(history: History, hour: int, tuning: Tuning) -> list[Finding]:
    """Entities whose last week cost 30 % more than the weeks of the 28 days before it."""
    ends = np.array([hour - WEEK_HOURS * week for week in range(1, WEEKS + 1)])
    weeks = history.windows(ends, WEEK_HOURS)
    latest = history.windows(np.array([hour]), WEEK_HOURS)[0]
    whole = ~np.isnan(weeks).any(axis=0) & ~np.isnan(latest)
    expected = weeks.mean(axis=0)
    with np.errstate(invalid="ignore"):
        gate = 7 * tuning.gate(expected / 7)
        risen = latest - expected >= np.maximum(gate, DRIFT_RISE * expected)
    odd = np.flatnonzero(whole & risen)
    if not len(odd):
        return []
    days = history.windows(hour - WEEK_HOURS - DAY_HOURS * np.arange(7 * WEEKS), DAY_HOURS, odd)
    spreads = np.where(is_silent(history, hour, odd), SILENT_DRIFT_SPREADS, DRIFT_SPREADS)
    rise = np.maximum(DRIFT_RISE * expected[odd], spreads * spread_of_weeks(days))
    return [
        Finding(
            int(entity),
            "drift",
            hour - WEEK_HOURS + 1,
            hour + 1,
            float(latest[entity]),
            float(expected[entity]),
            float(max(0.0, expected[entity] - reach)),
            float(expected[entity] + reach),
        )
        for entity, reach in zip(odd, rise, strict=True)
        if latest[entity] >= expected[entity] + reach
    ]


def spread_of_weeks(days: Floats) -> Floats:
    """The standard deviation of a week, from days (whole weeks) beside their weekday and trend.

    Four weeks alone would tell little of it, and a steady rise would look like a wide spread.
    """
    count = len(days)
    left = days - np.tile(days.reshape(-1, 7, days.shape[1]).mean(axis=0), (count // 7, 1))
    week = np.arange(count) // 7 - (count // 7 - 1) / 2
    slope = (week[:, None] * left).sum(axis=0) / (week**2).sum()
    left -= week[:, None] * slope
    result: Floats = np.sqrt(7 * (left**2).sum(axis=0) / (count - 8))
    return result
