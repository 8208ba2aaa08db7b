"""Runs the detector hour by hour over a synthetic suite, as the server does, and judges it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.anomalies.synthetic import FIRST_HOUR, HOURS, KINDS, MONTH_STARTS, Suite
from infraprism_server.anomalies import detection
from infraprism_server.anomalies.drift import LOOK_EVERY_HOURS, find_drifts
from infraprism_server.anomalies.episode import Episode, grown, is_same_story, opened, rested
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
    stories = _Stories(history, tuning)
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
        findings += find_newcomers(history, hour, tuning)
        if hour % LOOK_EVERY_HOURS == 0:
            findings += find_drifts(history, hour, tuning)
        for finding in findings:
            if stories.take(finding):
                alerts.append(Alert(finding.entity, finding.kind, place))
        stories.rest(hour, {finding.entity for finding in findings})
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


class _Stories:
    """The latest episode of each entity, told and grown as the server's watch does."""

    def __init__(self, history: History, tuning: Tuning) -> None:
        self._history = history
        self._tuning = tuning
        self._latest: dict[int, Episode] = {}
        self._of_spikes: set[int] = set()
        """Entities whose latest episode began with a spike: the others' hours are learnt from."""

    def take(self, finding: Finding) -> bool:
        """Grow the story a finding belongs to, or begin one. Whether it is told."""
        entity = finding.entity
        latest = self._latest.get(entity)
        if not is_same_story(latest, finding):
            start = detection.first_odd_hour(self._history, finding, self._tuning)
            self._latest[entity] = opened(finding, start, latest)
            change = self._of_spikes.add if finding.kind == "spike" else self._of_spikes.discard
            change(entity)
            self._forget(entity)
            return True
        assert latest is not None
        episode = grown(latest, finding)
        if episode is not latest:
            self._latest[entity] = episode
            self._forget(entity)
        return False

    def rest(self, hour: int, odd: set[int]) -> None:
        """Episodes that have been quiet for a day are over."""
        for entity, episode in self._latest.items():
            if entity not in odd and not episode.closed:
                self._latest[entity] = rested(episode, hour)

    def _forget(self, entity: int) -> None:
        if entity not in self._of_spikes:
            return
        episode = self._latest[entity]
        change = self._history.take_back if episode.new_normal else self._history.leave_out
        change(entity, episode.start_hour, episode.end_hour)


def _earlier_month_start(hour: int) -> int | None:
    for before, start in zip((None, *MONTH_STARTS), MONTH_STARTS, strict=False):
        if before is not None and 0 <= hour - start < 48:
            return before + hour - start
    return None
