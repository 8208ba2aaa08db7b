"""Spend as it might be: seeded entities over eight weeks, and what is injected into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infraprism_server.anomalies.history import History
from infraprism_server.money import PICO_PER_DOLLAR

HOURS = 56 * 24
FIRST_HOUR = 482_664  # Thursday 2025-01-23T00Z: two month starts and a change to DST lie within
MONTH_STARTS = (482_880, 483_552)  # 1 February, 1 March
DST_HOUR = FIRST_HOUR + 45 * 24
INJECTED_PART = 0.02
KINDS = ("x3 3h", "x5 2h", "x10 1h", "x2 48h", "x3 24h", "ramp x3 6d", "+1.5%/day", "leaked key")
_PLAIN = {"x3 3h": (3, 3), "x5 2h": (5, 2), "x10 1h": (10, 1), "x2 48h": (2, 48), "x3 24h": (3, 24)}


@dataclass(frozen=True, slots=True)
class Injection:
    entity: int
    kind: str
    start: int
    end: int
    """Hours from the first; `end` exclusive."""
    material_from: int | None
    """The first hour by whose end a day of it has added max($1, 25 % of a usual day); of the slow
    rise: by whose end a week of it costs 30 % and 7 gates more than the four before it did."""


@dataclass(frozen=True, slots=True)
class Suite:
    cost: NDArray[np.float64]
    calls: NDArray[np.float64]
    late: NDArray[np.float64]
    """Of each hour, the part that is only known three hours after it."""
    known_from: NDArray[np.int64]
    injections: list[Injection]

    def history(self) -> History:
        return History(FIRST_HOUR, self.cost, self.calls, self.known_from.copy())


def make(seed: int, entities: int) -> Suite:
    rng = np.random.default_rng(seed)
    hours = np.arange(HOURS)
    a_day = np.exp(rng.normal(np.log(12), 1.6, entities))  # dollars
    per_call = np.exp(rng.normal(np.log(0.01), 1.0, entities))
    rate = a_day / 24 * _season(rng, hours, entities)
    rate *= np.exp(rng.uniform(-0.002, 0.004, entities) * hours[:, None] / 24)
    rate *= _batches(rng, entities)
    starters = rng.random(entities) < 0.1
    for start in MONTH_STARTS:
        rate[start - FIRST_HOUR : start - FIRST_HOUR + 24, starters] *= 2.5
    for _ in range(3):
        start = int(rng.integers(24, HOURS - 24))
        rate[start : start + int(rng.integers(1, 4))] = 0.0
    noise = rng.normal(0, rng.uniform(0.1, 0.35, entities), (HOURS, entities))
    rate *= np.exp(noise)
    known_from = np.full(entities, 0)
    new = rng.random(entities) < 0.1
    known_from[new] = rng.integers(0, HOURS - 24, int(new.sum()))
    rate[hours[:, None] < known_from] = 0.0
    rate, injections = _inject(rng, rate, a_day, known_from)
    calls = rng.poisson(rate / per_call)
    cost = calls * per_call * PICO_PER_DOLLAR
    late = np.where(rng.random((HOURS, entities)) < 0.01, 0.5 * cost, 0.0)
    return Suite(cost, calls.sum(axis=0).astype(float), late, known_from + FIRST_HOUR, injections)


def _season(
    rng: np.random.Generator, hours: NDArray[np.int64], entities: int
) -> NDArray[np.float64]:
    local = hours[:, None] + rng.integers(-8, 9, entities)
    local = local + np.where(hours[:, None] + FIRST_HOUR >= DST_HOUR, rng.random(entities) < 0.5, 0)
    hour, day = local % 24, (local + FIRST_HOUR) // 24
    weekend = (day + 3) % 7 >= 5
    office = np.exp(-(((hour - 14) / 4.5) ** 2)) * np.where(weekend, 0.15, 1.0) + 0.02
    steady = 1 + 0.4 * np.sin(2 * np.pi * hour / 24) - 0.1 * weekend
    shape = np.where(rng.random(entities) < 0.6, office, steady)
    result: NDArray[np.float64] = shape / shape.mean(axis=0)
    return result


def _batches(rng: np.random.Generator, entities: int) -> NDArray[np.float64]:
    """Every eighth entity works in runs of some hours, a few times a week."""
    result = np.ones((HOURS, entities))
    for entity in np.flatnonzero(rng.random(entities) < 0.125):
        result[:, entity] = 0.0
        start = 0
        while start < HOURS:
            length = int(rng.integers(2, 9))
            result[start : start + length, entity] = rng.uniform(3, 6)
            start += length + int(rng.integers(8, 40))
    return result


def _inject(
    rng: np.random.Generator,
    rate: NDArray[np.float64],
    a_day: NDArray[np.float64],
    known_from: NDArray[np.int64],
) -> tuple[NDArray[np.float64], list[Injection]]:
    entities = rate.shape[1]
    old = np.flatnonzero(known_from == 0)
    each = max(1, int(INJECTED_PART * entities))
    chosen = rng.choice(old, min(len(old), each * len(KINDS)), replace=False)
    injections = []
    for place, entity in enumerate(chosen):
        kind = KINDS[place % len(KINDS)]
        start = int(rng.integers(28 * 24, 46 * 24))
        before = rate[:, entity].copy()
        factor = np.ones(HOURS)
        if kind in _PLAIN:
            times, length = _PLAIN[kind]
            factor[start : start + length] = times
        elif kind.startswith("ramp"):
            length = 9 * 24
            factor[start : start + length] = np.minimum(3.0, 1 + np.arange(length) / 72)
        elif kind.startswith("+"):
            start, length = 28 * 24, HOURS - 28 * 24
            factor[start:] = 1.015 ** (np.arange(length) / 24)
        else:
            length = 12
        rate[:, entity] *= factor
        if kind == "leaked key":
            rate[start : start + length, entity] += a_day[entity] / 8
        end = min(HOURS, start + length)
        injections.append(
            Injection(int(entity), kind, start, end, _material(before, rate[:, entity], start, end))
            if length < HOURS - 28 * 24
            else Injection(int(entity), kind, start, end, _drifted(rate[:, entity], start))
        )
    return rate, injections


def _material(
    before: NDArray[np.float64], after: NDArray[np.float64], start: int, end: int
) -> int | None:
    added = np.cumsum(after - before)
    a_day = before[start - 28 * 24 : start].sum() / 28
    for hour in range(start, end):
        if added[hour] - added[max(start - 1, hour - 24)] >= max(1.0, 0.25 * a_day):
            return hour
    return None


def _drifted(rate: NDArray[np.float64], start: int) -> int | None:
    sums = np.concatenate(([0.0], np.cumsum(rate)))
    for hour in range(max(start, 35 * 24), HOURS):
        week = sums[hour + 1] - sums[hour - 167]
        usual = (sums[hour - 167] - sums[hour - 839]) / 4
        if week - usual >= max(7.0, 0.30 * usual):
            return hour
    return None
