"""The detector's nouns: windows, episodes, masks, doubts. No store, no clock."""

from __future__ import annotations

import numpy as np
import pytest

from infraprism_server.anomalies.band import band, comparable_ends
from infraprism_server.anomalies.detection import find_spikes
from infraprism_server.anomalies.drift import find_drifts, spread_of_weeks
from infraprism_server.anomalies.episode import (
    Episode,
    grown,
    is_by,
    is_same_story,
    opened,
    rested,
)
from infraprism_server.anomalies.finding import Finding, Tuning
from infraprism_server.anomalies.history import History
from infraprism_server.anomalies.novelty import novelty
from infraprism_server.money import PICO_PER_DOLLAR as DOLLAR

FIRST = 482_664  # a Thursday, midnight UTC
HOURS = 42 * 24
ONE = np.array([0])


def history(cost: np.ndarray, known_from: int = FIRST) -> History:
    cost = np.asarray(cost, dtype=np.float64).reshape(len(cost), -1)
    return History(FIRST, cost, np.full(cost.shape[1], 1e6), np.full(cost.shape[1], known_from))


def steady(seed: int = 1, level: float = 10 * DOLLAR) -> np.ndarray:
    return level * (1 + 0.1 * np.random.default_rng(seed).random(HOURS))


def finding(start: int, end: int, severity: float = 1.0) -> Finding:
    return Finding(0, "spike", start, end, 10 + severity, 10.0, 9.0, 11.0)


def test_a_window_is_compared_with_the_same_hours_on_the_same_kind_of_day() -> None:
    hour = FIRST + 35 * 24 + 9  # a Thursday
    ends = comparable_ends(hour, 1)
    assert {int(hour - end) % 24 for end in ends} == {0, 1, 23}
    weekdays = {int((end // 24 + 3) % 7) for end in ends}
    assert weekdays <= {0, 1, 2, 3, 4}
    saturday = comparable_ends(hour + 48, 1)
    assert {int((end // 24 + 3) % 7) for end in saturday} == {5, 6}
    # Where the zone is ten hours ahead, Friday 20:00 UTC is a Saturday.
    late = FIRST + 36 * 24 + 20
    assert {int(((end + 10) // 24 + 3) % 7) for end in comparable_ends(late, 1, 10)} == {5, 6}


def test_money_decides_too_a_large_factor_of_little_is_not_told() -> None:
    cost = steady(level=DOLLAR / 1000)
    cost[-1] *= 100
    assert find_spikes(history(cost), FIRST + HOURS - 1, Tuning()) == []
    found = find_spikes(history(cost), FIRST + HOURS - 1, Tuning(minimum_impact_pico=DOLLAR // 100))
    assert [one.entity for one in found] == [0]


@pytest.mark.parametrize(("sensitivity", "told"), [("low", 0), ("default", 0), ("high", 1)])
def test_sensitivity_moves_the_edge(sensitivity, told: int) -> None:
    cost = steady()
    cost[-24:] *= 1.46  # 24 h at 4.5 scales of a tenth
    found = find_spikes(history(cost), FIRST + HOURS - 1, Tuning(sensitivity))
    assert len(found) == told


def test_the_last_anomaly_does_not_widen_the_band() -> None:
    cost = steady()
    place = HOURS - 24 * 7
    cost[place - 30 : place + 30] *= 20
    seen = history(cost)
    wide = band(seen, FIRST + HOURS - 1, 24).scale[0]
    seen.leave_out(0, FIRST + place - 30, FIRST + place + 30)
    assert band(seen, FIRST + HOURS - 1, 24).scale[0] < wide / 3


def test_a_steady_rise_is_drift_and_no_spike() -> None:
    cost = steady() * 1.016 ** (np.arange(HOURS) / 24)
    seen = history(cost)
    hours = range(FIRST + 36 * 24, FIRST + HOURS)
    assert not any(find_spikes(seen, hour, Tuning()) for hour in hours)
    assert any(find_drifts(seen, hour, Tuning()) for hour in hours)


def test_weekends_and_a_trend_are_no_spread_of_weeks() -> None:
    days = np.array([100.0 - day - 50 * (day % 7 in (2, 3)) for day in range(28)])[:, None]
    assert spread_of_weeks(days)[0] < 10
    noisy = days + np.random.default_rng(1).normal(0, 20, 28)[:, None]
    assert 30 < spread_of_weeks(noisy)[0] < 90


def test_a_young_entity_is_judged_by_its_range() -> None:
    cost = steady()
    known = FIRST + HOURS - 5 * 24
    cost[: known - FIRST] = 0
    cost[-1] = 9 * cost[-2]
    assert [one.entity for one in find_spikes(history(cost, known), FIRST + HOURS - 1, Tuning())]
    assert novelty(history(cost, known), FIRST + HOURS - 1, 1, ONE)[0] > 1
    cost[-40] = 9 * cost[-2]  # it has done that before
    cost[-60] = 9 * cost[-2]
    cost[-70] = 9 * cost[-2]
    assert find_spikes(history(cost, known), FIRST + HOURS - 1, Tuning()) == []


def test_novelty_counts_falls_and_knows_nothing_of_a_day_old_entity() -> None:
    cost = steady()
    cost[-1] = 0
    assert novelty(history(cost), FIRST + HOURS - 1, 1, ONE)[0] > 1
    assert np.isnan(novelty(history(cost, FIRST + HOURS - 20), FIRST + HOURS - 1, 1, ONE)[0])


def test_an_episode_grows_rests_and_is_over_after_24_quiet_hours() -> None:
    episode = grown(opened(finding(100, 106), 103), finding(104, 110))
    assert (episode.start_hour, episode.end_hour, episode.closed) == (103, 110, False)
    assert not rested(episode, 132).closed
    assert rested(episode, 133).closed


def test_what_returns_within_ten_days_is_the_same_story_unless_four_times_as_bad() -> None:
    episode = Episode(start_hour=100, end_hour=110, severity=2.0, closed=True)
    assert is_same_story(episode, finding(342, 350, severity=7.9))
    assert not is_same_story(episode, finding(342, 350, severity=8.0))
    assert not is_same_story(episode, finding(342, 351, severity=2.0))


def test_what_is_four_times_as_far_out_of_its_band_for_less_money_is_the_same_story() -> None:
    """Bands of windows are not alike: one call wide in an hour in which nothing is usual."""
    told = opened(Finding(0, "spike", 100, 106, 78.0, 0.0, 0.0, 60.0), 100)
    closed = rested(told, 140)
    hour = Finding(0, "spike", 170, 171, 38.0, 0.0, 0.0, 1.0)
    assert hour.severity > 4 * closed.severity
    assert is_same_story(closed, hour)
    assert not is_same_story(closed, Finding(0, "spike", 170, 171, 312.0, 0.0, 0.0, 1.0))
    # It takes the story's worst hour in either sense, whichever window that was.
    assert grown(closed, hour).excess == 78.0
    assert grown(closed, hour).severity == hour.severity


def test_a_week_of_drift_is_as_bad_as_a_day_of_it() -> None:
    drift = Finding(0, "drift", 100, 268, 1400.0, 700.0, 400.0, 1000.0)
    closed = rested(opened(drift, drift.start_hour), 300)
    assert closed.excess == 100.0
    assert is_same_story(closed, Finding(0, "spike", 301, 302, 399.0, 0.0, 0.0, 1.0))
    assert not is_same_story(closed, Finding(0, "spike", 301, 302, 400.0, 0.0, 0.0, 1.0))


def test_what_comes_a_day_and_more_after_a_finding_is_another_episode() -> None:
    assert is_by(Episode(start_hour=123, end_hour=130), finding(94, 100))
    assert not is_by(Episode(start_hour=124, end_hour=130), finding(94, 100))


def test_a_drift_is_silent_beside_what_was_told_of_its_weeks_and_adds_nothing_to_it() -> None:
    told = Episode(start_hour=900, end_hour=1000, severity=2.0, closed=True)
    drift = Finding(0, "drift", 1503, 1671, 1400.0, 700.0, 400.0, 1000.0)
    assert is_same_story(told, drift)
    assert grown(told, drift) is told
    assert not is_same_story(told, Finding(0, "drift", 1504, 1672, 1400.0, 700.0, 400.0, 1000.0))
    assert not is_same_story(None, drift)


def test_what_lasts_a_week_is_the_new_normal() -> None:
    episode = opened(finding(100, 106), 100)
    assert not grown(episode, finding(262, 267)).closed
    lasting = grown(episode, finding(262, 268))
    assert (lasting.closed, lasting.new_normal) == (True, True)
    cost = steady()
    start = HOURS - 8 * 24
    cost[start:] *= 8
    seen = history(cost)
    seen.leave_out(0, FIRST + start, FIRST + HOURS - 24)
    assert band(seen, FIRST + HOURS - 1, 1).expected[0] < 12 * DOLLAR
    seen.take_back(0, FIRST + start, FIRST + HOURS - 24)
    assert band(seen, FIRST + HOURS - 1, 1).expected[0] > 80 * DOLLAR
