"""Newcomers: entities whose first day costs more than first days of others hardly ever did."""

from __future__ import annotations

from typing import Final

import numpy as np

from infraprism_server.anomalies.finding import DAY_HOURS, Finding, Tuning
from infraprism_server.anomalies.history import History

NEWCOMER_QUANTILE: Final = 0.99
NEWCOMERS_KNOWN: Final = 20
"""With fewer first days to compare with, a newcomer is not judged by them."""


def find_newcomers(history: History, hour: int, tuning: Tuning) -> list[Finding]:
    """Entities whose first 24 hours, so far, cost more than the account's q99 of first days."""
    first = history.known_from
    past = np.flatnonzero((first > history.first_hour) & (first <= hour - DAY_HOURS))
    new = np.flatnonzero((first > hour - DAY_HOURS) & (first <= hour))
    if len(past) < NEWCOMERS_KNOWN or not len(new):
        return []
    days = np.array([_first_day(history, int(one)) for one in past])
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


def _first_day(history: History, entity: int) -> float:
    last = int(history.known_from[entity]) + DAY_HOURS - 1
    return float(history.window(last, DAY_HOURS, np.array([entity]))[0])
