"""Novelty: how far a window lies outside of the range of all that an entity did lately.

Needs no season and hardly any history: what entities are judged by that are too young for the
band alone. Two ranges are looked at: of the windows themselves, and of what is left of them
beside the same hour of earlier days. The second counts half: a few days tell little of a season.
"""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np

from infraprism_server.anomalies.history import Floats, History, Ints

DAY_HOURS: Final = 24
RANGE_DAYS: Final = 14
RANGE_HOURS: Final = RANGE_DAYS * DAY_HOURS
FEWEST_HOURS: Final = 24
LOW, HIGH = 0.02, 0.98
"""The range is from this quantile to that one: a single odd hour does not widen it."""
LEAST_RANGE: Final = 0.05
"""Of the median: a flat line has a range, too."""
SEASON_DAYS: Final = 3
"""So many earlier days a same hour must have, and then two days of what is left."""
SEASON_WEIGHT: Final = 0.5
_SAME_HOUR: Final = np.array(
    [DAY_HOURS * days + near for days in range(1, RANGE_DAYS + 1) for near in (-1, 0, 1)]
)


def novelty(history: History, hour: int, window: int, chosen: Ints) -> Floats:
    """Of each chosen entity, in ranges: 0 is the edge, NaN where too little is known.

    Both sides count: a fall below the range is as novel as a rise above it.
    """
    if not len(chosen):
        return np.zeros(0)
    ends = np.arange(hour - RANGE_HOURS, hour + 1)
    before = np.arange(hour - 2 * RANGE_HOURS - 1, hour + 1)
    sums = history.windows(before, window, chosen)
    age = hour - history.known_from[chosen]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        warnings.filterwarnings("ignore", "invalid value", RuntimeWarning)
        values = sums[-len(ends) :]
        least = LEAST_RANGE * np.abs(np.nanmedian(values[:-window], axis=0))
        level = _outside(values, window, least)
        places = np.arange(len(before) - len(ends), len(before))
        usual = np.nanmedian(sums[places[:, None] - _SAME_HOUR], axis=1)
        left = values - usual
        begun = ends[:, None] < history.known_from[chosen] + SEASON_DAYS * DAY_HOURS
        left[begun] = np.nan
        season = _outside(left, window, least)
    level[age < FEWEST_HOURS] = np.nan
    season[age < (SEASON_DAYS + 2) * DAY_HOURS] = np.nan
    result: Floats = np.fmax(level, SEASON_WEIGHT * season)
    return result


def _outside(values: Floats, window: int, least: Floats) -> Floats:
    """How far the last of the values is outside of those before it that do not overlap it."""
    low, high = np.nanquantile(values[:-window], [LOW, HIGH], axis=0)
    span = np.maximum(np.maximum(high - low, least), 1e-9)
    result: Floats = np.maximum(values[-1] - high, low - values[-1]) / span
    return result
