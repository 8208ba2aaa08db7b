"""What is odd at one hour, over many entities at once: the band, the money gate, and doubts.

Nothing here remembers: what is open, masked or already told is in episode.py and the store.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from infraprism_server.anomalies import band as bands
from infraprism_server.anomalies.finding import DAY_HOURS, Finding, Sensitivity, Tuning
from infraprism_server.anomalies.history import SEASON_HOURS, Bools, Floats, History, Ints
from infraprism_server.anomalies.novelty import novelty

SCALES: Final[dict[Sensitivity, tuple[float, float, float]]] = {
    "low": (12.0, 8.0, 6.0),
    "default": (10.0, 7.0, 5.0),
    "high": (8.0, 5.0, 4.0),
}
"""How many scales above the expected a window of 1, 6 and 24 hours must be."""
SILENT_PART: Final = 0.3
HABIT_DAYS: Final = 28
HABIT_RISE: Final = 1.8
"""An entity that is often silent must exceed this many times its highest window."""
YOUNG_SILENT_RISE: Final = 3.0
YOUNG_RANGES: Final = 1.0
"""A young entity must be this many ranges outside of all it did (see novelty.py)."""
BLIND_HOURS: Final = 72
"""An entity known for less has no band; its first day is judged beside others' first days."""
MONTH_START_RISE: Final = 1.5
"""A month's start is odd when it costs this many times what the one before it did."""
GROWTH_DAYS: Final = 35


class Suspects(NamedTuple):
    """Entities outside of their bands in one window. Amounts by entity of the history."""

    window: int
    entities: Ints
    actual: Floats
    expected: Floats
    reach: Floats
    """From the expected to the band's edge."""


def find_spikes(
    history: History,
    hour: int,
    tuning: Tuning,
    *,
    earlier_month_start: int | None = None,
    late: Floats | None = None,
) -> list[Finding]:
    """Of each entity the window ending at `hour` that is furthest outside of its band.

    `earlier_month_start` is the same hour of the month before, when `hour` is near a month's
    start. `late` is what has been spent and is not known yet (for simulations).
    """
    found: dict[int, Finding] = {}
    for suspects in _suspects(history, hour, tuning, late):
        for entity in _confirmed(history, hour, suspects, earlier_month_start):
            finding = _spike(entity, hour, suspects)
            other = found.get(entity)
            if other is None or finding.severity > other.severity:
                found[entity] = finding
    return list(found.values())


def first_odd_hour(history: History, finding: Finding, tuning: Tuning) -> int:
    """The first hour of a spike's window that was above its own band's scale.

    Of a drift or a first day it is the first of all: no hour of them need be odd.
    """
    if finding.kind != "spike":
        return finding.start_hour
    chosen = np.array([finding.entity])
    for hour in range(finding.start_hour, finding.end_hour):
        own = bands.band(history, hour, 1, offset_hours=tuning.offset_hours, chosen=chosen)
        if history.window(hour, 1, chosen)[0] > own.expected[0] + own.scale[0]:
            return hour
    return finding.end_hour - 1


def _suspects(history: History, hour: int, tuning: Tuning, late: Floats | None) -> list[Suspects]:
    """Of each window whoever is outside of its band and above the money gate, and rising."""
    day = bands.band(history, hour, DAY_HOURS, offset_hours=tuning.offset_hours)
    now = bands.band(history, hour, 1, offset_hours=tuning.offset_hours)
    rising = history.window(hour, 1) > now.expected + now.scale
    usual_day = np.where(np.isnan(day.expected), DAY_HOURS * now.expected, day.expected)
    gate = tuning.gate(usual_day)
    found = []
    for window, scales in zip(bands.WINDOWS, SCALES[tuning.sensitivity], strict=True):
        judged = {1: now, DAY_HOURS: day}.get(window) or bands.band(
            history, hour, window, offset_hours=tuning.offset_hours
        )
        actual = history.window(hour, window)
        if late is not None:
            actual = actual - late
        reach = scales * judged.scale
        with np.errstate(invalid="ignore"):
            excess = actual - judged.expected
            out: Bools = (excess >= reach) & (excess >= gate) & rising
        found.append(Suspects(window, np.flatnonzero(out), actual, judged.expected, reach))
    return found


def _spike(entity: int, hour: int, suspects: Suspects) -> Finding:
    expected, reach = float(suspects.expected[entity]), float(suspects.reach[entity])
    return Finding(
        entity,
        "spike",
        hour - suspects.window + 1,
        hour + 1,
        float(suspects.actual[entity]),
        expected,
        max(0.0, expected - reach),
        expected + reach,
    )


def _confirmed(
    history: History, hour: int, suspects: Suspects, earlier_month_start: int | None
) -> list[int]:
    """Those that are odd also beside what costs too much to ask of every entity.

    Whoever is often silent has a habit instead of a season: what it once spent in any window of
    four weeks, episodes too. Whoever is young is judged by its range. Whoever grows is compared
    with where it has come to. A month's start is compared with the one before it.
    """
    out, window = suspects.entities, suspects.window
    out = out[history.known_from[out] <= hour - BLIND_HOURS]
    if not len(out):
        return []
    actual = suspects.actual[out]
    young = history.known_from[out] > hour - SEASON_HOURS
    silent = is_silent(history, hour, out)
    top = history.all_windows(hour, window, HABIT_DAYS, out).max(axis=0, initial=0.0)
    grown = suspects.expected[out] * _growth(history, hour - window, out) + suspects.reach[out]
    needed = np.where(silent, top * HABIT_RISE, np.where(young, 0.0, grown))
    # How long its runs last it has not shown yet: a young one's are judged hour by hour.
    needed[young & silent] = top[young & silent] * YOUNG_SILENT_RISE if window == 1 else np.inf
    if earlier_month_start is not None:
        needed = np.maximum(
            needed, MONTH_START_RISE * _then(history, earlier_month_start, window, out)
        )
    odd = actual > needed
    new = np.flatnonzero(young & ~silent & odd)
    with np.errstate(invalid="ignore"):
        odd[new] = novelty(history, hour, window, out[new]) >= YOUNG_RANGES
    return [int(one) for one in out[odd]]


def is_silent(history: History, hour: int, entities: Ints) -> Bools:
    """Which of the entities spent nothing in many of the hours since they are known."""
    span = min(HABIT_DAYS * DAY_HOURS, hour - history.first_hour)
    known = np.minimum(hour - history.known_from[entities], span)
    silent: Bools = history.busy_hours(hour, span, entities) <= (1 - SILENT_PART) * known
    return silent


def _growth(history: History, hour: int, entities: Ints) -> Floats:
    """How many times a usual day of the last seven costs one of the five weeks; at least 1.

    A steady rise is drift, and told as that; it must not leave its band by lagging behind.
    """
    days = history.windows(hour - DAY_HOURS * np.arange(GROWTH_DAYS), DAY_HOURS, entities)
    recent, usual = bands.middle(days[:7]), bands.middle(days)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = recent / usual
    grown: Floats = np.where(np.isfinite(ratio), np.maximum(ratio, 1.0), 1.0)
    return grown


def _then(history: History, hour: int, window: int, entities: Ints) -> Floats:
    """The highest window that ended near an hour of the month before; 0 where unknown."""
    before = history.windows(hour + np.arange(-1, 2), window, entities)
    highest: Floats = np.where(np.isnan(before), 0.0, before).max(axis=0)
    return highest
