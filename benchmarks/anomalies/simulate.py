"""Runs the detector hour by hour over a synthetic suite, as the server does, and judges it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.anomalies.synthetic import FIRST_HOUR, HOURS, KINDS, MONTH_STARTS, Suite
from infraprism_server.anomalies import detection
from infraprism_server.anomalies.drift import LOOK_EVERY_HOURS, find_drifts
from infraprism_server.anomalies.episode import (
    DRIFT_SILENCE_HOURS,
    Episode,
    grown,
    is_same_story,
    opened,
    rested,
)
from infraprism_server.anomalies.finding import Finding, Tuning
from infraprism_server.anomalies.history import History
from infraprism_server.anomalies.newcomers import find_newcomers

WARM_UP_HOURS = 21 * 24


@dataclass(frozen=True, slots=True)
class Alert:
    entity: int
    kind: str
    hour: int
    """The hour at whose end it was told, from the first."""


@dataclass
class Verdict:
    material: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    told: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    delays: list[int] = field(default_factory=list)
    delays_by_kind: dict[str, list[int]] = field(default_factory=lambda: {k: [] for k in KINDS})
    false_alarms: int = 0
    second_alerts: int = 0
    entity_weeks: float = 0.0


def alerts_of(suite: Suite, tuning: Tuning, *, from_hour: int = WARM_UP_HOURS) -> list[Alert]:
    """Every alert the server would have sent."""
    history = suite.history()
    episodes: dict[int, Episode] = {}
    last_told: dict[int, int] = {}
    newcomers: set[int] = set()
    alerts: list[Alert] = []
    for place in range(from_hour, HOURS):
        hour = FIRST_HOUR + place
        findings = detection.find_spikes(
            history,
            hour,
            tuning,
            earlier_month_start=_earlier_month_start(hour),
            late=suite.late[max(0, place - 2) : place + 1].sum(axis=0),
        )
        odd = {finding.entity: finding for finding in findings}
        for entity, episode in episodes.items():
            if entity not in odd and not episode.closed:
                episodes[entity] = rested(episode, hour)
        for entity, finding in odd.items():
            if _spike(history, episodes, entity, finding, tuning) and entity not in newcomers:
                last_told[entity] = hour
                alerts.append(Alert(entity, "spike", place))
        for finding in find_newcomers(history, hour, tuning):
            if finding.entity not in newcomers:
                newcomers.add(finding.entity)
                alerts.append(Alert(finding.entity, "new_entity", place))
        if hour % LOOK_EVERY_HOURS == 0:
            for finding in find_drifts(history, hour, tuning):
                entity = finding.entity
                silent = hour - last_told.get(entity, -DRIFT_SILENCE_HOURS) < DRIFT_SILENCE_HOURS
                if not silent:
                    last_told[entity] = hour
                    alerts.append(Alert(entity, "drift", place))
    return alerts


def judge(suite: Suite, alerts: list[Alert], from_hour: int = WARM_UP_HOURS) -> Verdict:
    """What the alerts are worth against what was injected."""
    verdict = Verdict()
    weeks = (HOURS - np.maximum(from_hour, suite.known_from - FIRST_HOUR)) / 168
    verdict.entity_weeks = float(weeks.sum())
    left = list(alerts)
    for injection in suite.injections:
        mine = [
            alert
            for alert in left
            if alert.entity == injection.entity
            and injection.start <= alert.hour < injection.end + 24
        ]
        left = [alert for alert in left if alert not in mine]
        if injection.material_from is None:
            continue
        verdict.material[injection.kind] += 1
        if mine:
            verdict.told[injection.kind] += 1
            # In whole hours: an alert at the end of the hour that made it material is 1 h late.
            delay = max(0, min(alert.hour for alert in mine) - injection.material_from) + 1
            verdict.delays.append(delay)
            verdict.delays_by_kind[injection.kind].append(delay)
            verdict.second_alerts += len(mine) - 1
    verdict.false_alarms = len(left)
    return verdict


def _spike(
    history: History, episodes: dict[int, Episode], entity: int, finding: Finding, tuning: Tuning
) -> bool:
    """Grow or open the entity's episode; whether it is to be told."""
    episode = episodes.get(entity)
    is_new = episode is None or not is_same_story(episode, finding)
    if episode is None or is_new:
        start = detection.first_odd_hour(history, finding, tuning)
        episodes[entity] = opened(finding, start)
        history.leave_out(entity, start, finding.end_hour)
        return True
    episodes[entity] = grown(episode, finding)
    if episodes[entity].new_normal:
        history.take_back(entity, episode.start_hour, finding.end_hour)
    else:
        history.leave_out(entity, episode.start_hour, finding.end_hour)
    return False


def _earlier_month_start(hour: int) -> int | None:
    for before, start in zip((None, *MONTH_STARTS), MONTH_STARTS, strict=False):
        if before is not None and 0 <= hour - start < 48:
            return before + hour - start
    return None
