"""The anomaly benchmarks: the scoring rule, what is frozen, and that the suites run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.anomalies import frozen, nab, synthetic
from benchmarks.anomalies.__main__ import main
from benchmarks.anomalies.gaussian import windowed_gaussian
from benchmarks.anomalies.nab_data import hourly, load
from benchmarks.anomalies.nab_score import Labelled, group_score, raw_score
from benchmarks.anomalies.simulate import HOURS, alerts_of, judge
from benchmarks.report import SPEED, SYNTHETIC
from infraprism_server.anomalies.finding import Tuning


def labelled(*windows: tuple[int, int], rows: int = 400) -> Labelled:
    return Labelled("file", np.arange(rows), np.zeros(rows), windows)


def at(*rows: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


def test_a_perfect_detector_has_100_points_and_a_silent_one_none() -> None:
    file = labelled((100, 139), (200, 239))
    assert group_score([file], [at(100, 200)]) == pytest.approx(100)
    assert group_score([file], [at()]) == 0
    assert group_score([file], [at(100)]) == pytest.approx(50)


def test_early_counts_more_than_late_and_a_window_counts_once() -> None:
    file = labelled((100, 139))
    scores = [raw_score(file, at(row)) for row in range(100, 140)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1)
    assert 0 < scores[-1] < 0.1
    assert raw_score(file, at(100, 101, 130)) == pytest.approx(1)


def test_a_false_detection_costs_011_and_less_just_after_a_window() -> None:
    file = labelled((100, 139))
    assert raw_score(file, at(80)) == pytest.approx(-1.11)
    assert raw_score(file, at(141)) > -1.03
    assert raw_score(file, at(390)) == pytest.approx(-1.11)


def test_the_start_of_a_file_is_not_judged() -> None:
    assert raw_score(labelled((100, 139)), at(*range(60))) == -1
    assert labelled(rows=100_000).judged_from == 750


def test_the_published_detector_tells_of_what_is_beyond_chance() -> None:
    values = np.random.default_rng(1).normal(10, 1, 300)
    values[250] = 30
    told = np.flatnonzero(windowed_gaussian(values) >= 1.0)
    assert told[told >= 45].tolist() == [250]


def test_the_parameters_are_those_that_were_frozen() -> None:
    """Who changes one runs `python -m benchmarks.anomalies --freeze`, and measures anew."""
    assert frozen.differences() == []


def test_series_without_anomalies_raise_no_alarm() -> None:
    group = [
        hourly(file)
        for file in load()["artificialNoAnomaly"]
        if "flatline" in file.name or "perfect_square" in file.name
    ]
    assert len(group) == 2
    assert nab.alarms(nab.judge_group(group), 0.2) == 0


def test_a_jump_is_told_of_once_in_its_first_hour() -> None:
    values = 10 + np.random.default_rng(2).normal(0, 1, 336)
    values[200:210] += 30
    file = Labelled("jump", np.arange(480_000, 480_336), values, ((200, 209),), 62)
    found = nab.told(nab.scores_of(file), 0.5)
    assert found.tolist() == [200]
    assert group_score([file], [found]) == pytest.approx(100)


def test_the_synthetic_suite_is_the_same_every_time_and_its_rises_are_found() -> None:
    suite, again = synthetic.make(7, 60), synthetic.make(7, 60)
    assert np.array_equal(suite.cost, again.cost)
    assert {one.kind for one in suite.injections} == set(synthetic.KINDS)
    start = HOURS - 21 * 24
    verdict = judge(suite, alerts_of(suite, Tuning(), from_hour=start), start)
    assert sum(verdict.told.values()) >= 1
    assert verdict.false_alarms / verdict.entity_weeks <= 0.1


def test_the_simulation_tells_of_a_return_only_when_the_server_does() -> None:
    """What the watch's own test of it spends; one injection, so that a return is a second alert."""
    first = HOURS - 5 * 24
    dollars = np.zeros((HOURS, 1))
    dollars[first - 35 * 24 : first - 24 : 50] = 11
    dollars[first : first + 6] = 5
    dollars[first + 36] = 36
    injected = synthetic.Injection(0, "x2 48h", first, first + 96, first)

    def second_alerts() -> int:
        start = np.array([synthetic.FIRST_HOUR])
        suite = synthetic.Suite(
            dollars * 1e12, np.array([1000.0]), np.zeros((HOURS, 1)), start, [injected]
        )
        verdict = judge(suite, alerts_of(suite, Tuning(), from_hour=first), first)
        assert verdict.told["x2 48h"] == 1
        return verdict.second_alerts

    assert second_alerts() == 0
    dollars[first + 66] = 200
    assert second_alerts() == 1


@pytest.mark.parametrize(
    ("words", "section"),
    [
        (["synthetic", "--seeds", "7", "--entities", "150"], SYNTHETIC),
        (["speed", "--many", "1000"], SPEED),
    ],
)
def test_the_command_prints_its_tables(
    words: list[str], section: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/anomalies.md says it is run, with few entities; what is labelled has its own test."""
    figures = tmp_path / "figures.json"
    assert main(["--only", *words, "--markdown", "--json", str(figures)]) == 0
    assert section in capsys.readouterr().out
    assert {line["section"] for line in json.loads(figures.read_text())["lines"]} == {section}
