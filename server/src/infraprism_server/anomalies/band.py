"""The band: what a window of hours was expected to cost, and how far from it is still usual.

A window is compared with windows of the same length that ended at comparable hours: the same
hour of the week, an hour more or less, over five weeks; and the same hour, an hour more or less,
on the same kind of day over fourteen days. Robust: medians, so that one odd day moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from infraprism_server.anomalies.history import SEASON_HOURS, Bools, Floats, History, Ints

HISTORY_DAYS: Final = 35
HISTORY_HOURS: Final = HISTORY_DAYS * 24 + 25
"""What the longest window at the oldest comparable hour reaches back to."""
WINDOWS: Final = (1, 6, 24)
WEEKS: Final = 5
DAYS: Final = 14
RECENT_HOURS: Final = 168
ENOUGH: Final = 9
"""With fewer comparable windows than this (the others are masked), and while it is young, an
entity is compared with every window of its last week as well."""
FEWEST: Final = 6
"""With fewer than this there is no band, and nothing is said."""
MAD_TO_SIGMA: Final = 1.4826
HIGH_QUANTILE: Final = 0.98
LEAST_SPREAD: Final = 0.10


@dataclass(frozen=True, slots=True)
class Band:
    """Of each entity, for one window: expected and scale. NaN where there is no band."""

    expected: Floats
    scale: Floats


def comparable_ends(hour: int, window: int, offset_hours: int = 0) -> Ints:
    """The last hours of the windows that one ending at `hour` is compared with, newest first.

    `offset_hours` is the account's distance from UTC: it decides what is a weekend.
    """
    kind = _kind(hour, window, offset_hours)
    found = {hour - 168 * week + near for week in range(1, WEEKS + 1) for near in (-1, 0, 1)}
    for days in range(1, DAYS + 1):
        if _kind(hour - 24 * days, window, offset_hours) == kind:
            found.update(hour - 24 * days + near for near in (-1, 0, 1))
    return np.array(sorted((end for end in found if end <= hour - window), reverse=True))


def recent_ends(hour: int, window: int) -> Ints:
    """The last hours of every window of the last week."""
    return np.arange(hour - window, hour - RECENT_HOURS - 1, -1)


def band(
    history: History, hour: int, window: int, *, offset_hours: int = 0, chosen: Ints | None = None
) -> Band:
    """The band of the window that ends at `hour`, of all entities or the chosen ones."""
    found = _band_of(
        history.windows(comparable_ends(hour, window, offset_hours), window, chosen),
        _cost_per_call(history, chosen),
        ENOUGH,
    )
    known_from = history.known_from if chosen is None else history.known_from[chosen]
    thin = np.flatnonzero(np.isnan(found.expected) | (known_from > hour - SEASON_HOURS))
    if len(thin):
        places = thin if chosen is None else chosen[thin]
        ends = np.union1d(recent_ends(hour, window), comparable_ends(hour, window, offset_hours))
        recent = _band_of(
            history.windows(ends, window, places), _cost_per_call(history, places), FEWEST
        )
        found.expected[thin] = recent.expected
        found.scale[thin] = recent.scale
    return found


def ends_used(history: History, entity: int, hour: int, window: int, offset_hours: int) -> Ints:
    """The comparable windows an entity's band was really made of, newest first."""
    chosen = np.array([entity])
    ends = comparable_ends(hour, window, offset_hours)
    known = ~np.isnan(history.windows(ends, window, chosen)[:, 0])
    if known.sum() < ENOUGH or history.known_from[entity] > hour - SEASON_HOURS:
        ends = np.union1d(recent_ends(hour, window), ends)[::-1]
        known = ~np.isnan(history.windows(ends, window, chosen)[:, 0])
    return ends[known]


def spread(values: Floats, expected: Floats, cost_per_call: Floats, high: Floats) -> Floats:
    """The scale: the widest of what the comparable windows, their top and counting itself say."""
    widest: Floats = np.maximum.reduce(
        (
            MAD_TO_SIGMA * values,
            (high - expected) / 3,
            LEAST_SPREAD * expected,
            np.sqrt(np.maximum(expected, cost_per_call) * cost_per_call),
        )
    )
    return widest


def _band_of(values: Floats, cost_per_call: Floats, fewest: int) -> Band:
    count = (~np.isnan(values)).sum(axis=0)
    values = np.sort(values.T, axis=1)  # NaN last
    expected = _quantile(values, count, 0.5)
    away = np.sort(np.abs(values - expected[:, None]), axis=1)
    scale = spread(
        _quantile(away, count, 0.5),
        expected,
        cost_per_call,
        _quantile(values, count, HIGH_QUANTILE),
    )
    none: Bools = count < fewest
    expected[none] = np.nan
    scale[none] = np.nan
    return Band(expected, scale)


def middle(values: Floats) -> Floats:
    """The median of each column without its NaN; NaN where there is nothing else."""
    found: Floats = _quantile(np.sort(values.T, axis=1), (~np.isnan(values)).sum(axis=0), 0.5)
    return found


def _quantile(ordered: Floats, count: Ints, part: float) -> Floats:
    """Of each row its quantile, linear between neighbours, over its first `count` values."""
    place = np.maximum(count - 1, 0) * part
    low = place.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(ordered))
    below, above = ordered[rows, low], ordered[rows, high]
    result: Floats = below + (above - below) * (place - low)
    return result


def _cost_per_call(history: History, chosen: Ints | None) -> Floats:
    return history.cost_per_call if chosen is None else history.cost_per_call[chosen]


def _kind(hour: int, window: int, offset_hours: int) -> tuple[bool, bool]:
    return _is_weekend(hour - window + 1 + offset_hours), _is_weekend(hour + offset_hours)


def _is_weekend(hour: int) -> bool:
    return (hour // 24 + 3) % 7 >= 5  # day 0 was a Thursday
