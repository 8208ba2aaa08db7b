"""What is odd at one hour, over many entities at once: the band, the money gate, and the apart.

Nothing here remembers: what is open, masked or already told is in episode.py and the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from infraprism_server.anomalies import band as bands
from infraprism_server.anomalies.history import SEASON_HOURS, Bools, Floats, History, Ints
from infraprism_server.money import PICO_PER_DOLLAR

Sensitivity = Literal["low", "default", "high"]
Kind = Literal["spike", "drift", "new_entity"]

SCALES: Final[dict[Sensitivity, tuple[float, float, float]]] = {
    "low": (12.0, 8.0, 6.0),
    "default": (10.0, 7.0, 5.0),
    "high": (8.0, 5.0, 4.0),
}
"""How many scales above the expected a window of 1, 6 and 24 hours must be."""
GATE_PART_OF_DAY: Final = 0.25
WEEK_HOURS: Final = 168
DRIFT_RISE: Final = 0.30
DRIFT_SPREADS: Final = 3.0
NEWCOMER_QUANTILE: Final = 0.99
NEWCOMERS_KNOWN: Final = 20
"""With fewer first days to compare with, a newcomer is not judged by them."""
DAY_HOURS: Final = 24
SILENT_PART: Final = 0.3
SILENT_DAYS: Final = 28
HABIT_RISE: Final = 2.0
BLIND_HOURS: Final = 72
"""An entity known for less has no band; its first day is judged beside others' first days."""
MONTH_START_RISE: Final = 1.5
"""A month's start is odd when it costs this many times what the one before it did."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an account has set; amounts in pico-dollars, `offset_hours` from UTC."""

    sensitivity: Sensitivity = "default"
    minimum_impact_pico: int = PICO_PER_DOLLAR
    offset_hours: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A window that left its band. Amounts are float64 pico-dollars."""

    entity: int
    """The column of the history."""
    kind: Kind
    start_hour: int
    end_hour: int
    """The hour after the window."""
    actual: float
    expected: float
    lower: float
    upper: float

    @property
    def severity(self) -> float:
        """How many half-widths of the band above the expected it is; 1 is the edge."""
        return (self.actual - self.expected) / max(self.upper - self.expected, 1.0)


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
    day = bands.band(history, hour, DAY_HOURS, offset_hours=tuning.offset_hours)
    now = bands.band(history, hour, 1, offset_hours=tuning.offset_hours)
    latest = history.window(hour, 1)
    rising = latest > now.expected + now.scale
    a_day = np.where(np.isnan(day.expected), DAY_HOURS * now.expected, day.expected)
    gate = np.maximum(tuning.minimum_impact_pico, GATE_PART_OF_DAY * a_day)
    for window, scales in zip(bands.WINDOWS, SCALES[tuning.sensitivity], strict=True):
        known = {1: now, DAY_HOURS: day}.get(window)
        judged = known or bands.band(history, hour, window, offset_hours=tuning.offset_hours)
        actual = history.window(hour, window)
        if late is not None:
            actual = actual - late
        with np.errstate(invalid="ignore"):
            excess = actual - judged.expected
            out: Bools = (excess >= scales * judged.scale) & (excess >= gate) & rising
        for entity in _confirmed(
            history,
            hour,
            window,
            np.flatnonzero(out),
            actual=actual,
            earlier_month_start=earlier_month_start,
        ):
            expected, scale = float(judged.expected[entity]), float(judged.scale[entity])
            finding = Finding(
                entity,
                "spike",
                hour - window + 1,
                hour + 1,
                float(actual[entity]),
                expected,
                max(0.0, expected - scales * scale),
                expected + scales * scale,
            )
            other = found.get(entity)
            if other is None or finding.severity > other.severity:
                found[entity] = finding
    return list(found.values())


def find_drifts(history: History, hour: int, tuning: Tuning) -> list[Finding]:
    """Entities whose last week cost 30 % more than the weeks of the 28 days before it."""
    ends = np.array([hour - WEEK_HOURS * week for week in range(1, 5)])
    weeks = history.windows(ends, WEEK_HOURS)
    latest = history.windows(np.array([hour]), WEEK_HOURS)[0]
    whole = ~np.isnan(weeks).any(axis=0) & ~np.isnan(latest)
    expected, spread = weeks.mean(axis=0), weeks.std(axis=0, ddof=1)
    limit = expected + np.maximum(DRIFT_RISE * expected, DRIFT_SPREADS * spread)
    with np.errstate(invalid="ignore"):
        gate = 7 * np.maximum(tuning.minimum_impact_pico, GATE_PART_OF_DAY * expected / 7)
        out = whole & (latest >= limit) & (latest - expected >= gate)
    odd = np.flatnonzero(out)
    silent = odd[_is_silent(history, hour, odd)]
    limit[silent] += DRIFT_SPREADS * spread[silent]
    out[silent] = latest[silent] >= limit[silent]
    return [
        Finding(
            int(entity),
            "drift",
            hour - WEEK_HOURS + 1,
            hour + 1,
            float(latest[entity]),
            float(expected[entity]),
            float(max(0.0, 2 * expected[entity] - limit[entity])),
            float(limit[entity]),
        )
        for entity in np.flatnonzero(out)
    ]


def find_newcomers(history: History, hour: int, tuning: Tuning) -> list[Finding]:
    """Entities whose first 24 hours, so far, cost more than the account's q99 of first days."""
    first = history.known_from
    past = np.flatnonzero((first > history.first_hour) & (first <= hour - DAY_HOURS))
    new = np.flatnonzero((first > hour - DAY_HOURS) & (first <= hour))
    if len(past) < NEWCOMERS_KNOWN or not len(new):
        return []
    days = np.array([_spent_from(history, int(one), int(first[one])) for one in past])
    limit = max(float(np.quantile(days, NEWCOMER_QUANTILE)), float(tuning.minimum_impact_pico))
    expected = float(np.median(days))
    findings = []
    for entity in new:
        actual = float(history.window(hour, hour - int(first[entity]) + 1)[entity])
        if actual > limit and actual - expected >= tuning.minimum_impact_pico:
            findings.append(
                Finding(
                    int(entity),
                    "new_entity",
                    int(first[entity]),
                    hour + 1,
                    actual,
                    expected,
                    0.0,
                    limit,
                )
            )
    return findings


def first_odd_hour(history: History, finding: Finding, tuning: Tuning) -> int:
    """The first hour of a spike's window that was above its own band's scale."""
    chosen = np.array([finding.entity])
    for hour in range(finding.start_hour, finding.end_hour):
        own = bands.band(history, hour, 1, offset_hours=tuning.offset_hours, chosen=chosen)
        if history.window(hour, 1, chosen)[0] > own.expected[0] + own.scale[0]:
            return hour
    return finding.end_hour - 1


def _confirmed(
    history: History,
    hour: int,
    window: int,
    out: Ints,
    *,
    actual: Floats,
    earlier_month_start: int | None,
) -> list[int]:
    """Those that are odd also beside what costs too much to ask of every entity.

    An entity that is often silent, or young, has no season yet: what it once spent in any window
    of four weeks, episodes too, is its habit. Twice that is odd; thrice when it is both. A month's
    start is compared with the one before it.
    """
    if not len(out):
        return []
    young = history.known_from[out] > hour - SEASON_HOURS
    top = history.all_windows(hour, window, SILENT_DAYS, out).max(axis=0, initial=0.0)
    silent = _is_silent(history, hour, out)
    rise = np.where(young & silent, HABIT_RISE + 1, HABIT_RISE)
    needed = np.where(silent | young, top * rise, -np.inf)
    if earlier_month_start is not None:
        near = earlier_month_start + np.arange(-1, 2)
        before = history.windows(near, window, out)
        before = np.where(np.isnan(before), 0.0, before).max(axis=0)
        needed = np.maximum(needed, before * MONTH_START_RISE)
    old_enough = history.known_from[out] <= hour - BLIND_HOURS
    return [int(one) for one in out[old_enough & (actual[out] > needed)]]


def _is_silent(history: History, hour: int, entities: Ints) -> Bools:
    """Which of the entities spent nothing in many of the hours since they are known."""
    hours = history.all_windows(hour, 1, SILENT_DAYS, entities)
    known = np.minimum(hour - history.known_from[entities], len(hours))
    busy = (hours > 0).sum(axis=0)
    result: Bools = busy <= (1 - SILENT_PART) * known
    return result


def _spent_from(history: History, entity: int, first_hour: int) -> float:
    return float(history.window(first_hour + DAY_HOURS - 1, DAY_HOURS, np.array([entity]))[0])
