"""The labelled series, judged by what young entities are judged by: novelty, in hourly means.

The series are two weeks long, know no money and fall as well as rise. So there is no gate here,
both sides count, and one threshold serves all files, as the published figures are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomalies.nab_score import Labelled, group_score
from infraprism_server.anomalies.episode import QUIET_HOURS
from infraprism_server.anomalies.history import History
from infraprism_server.anomalies.novelty import novelty

PUBLISHED = {
    "ARTime": 69.5,
    "CAD OSE": 71.5,
    "HTM": 73.4,
    "KNN-CAD": 60.7,
    "earthgecko": 58.1,
    "random cut forest": 57.6,
    "S-H-ESD": 38.5,
    "windowed Gaussian": 31.2,
}
"""On realAWSCloudwatch, standard profile."""
_CANDIDATES = 400


@dataclass(frozen=True, slots=True)
class Judged:
    """Hourly files of a group, and each one's novelty by hour."""

    files: list[Labelled]
    scores: list[NDArray[np.float64]]


def judge_group(files: list[Labelled]) -> Judged:
    """`files` are hourly."""
    return Judged(files, [scores_of(file) for file in files])


def scores_of(file: Labelled) -> NDArray[np.float64]:
    """The novelty of every hour, known from the hours before it alone."""
    first = int(file.times[0])
    history = History(first, file.values[:, None], np.zeros(1), np.array([first]))
    chosen = np.array([0])
    return np.array([novelty(history, int(hour), 1, chosen)[0] for hour in file.times])


def told(scores: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """The first hour of each episode: it is told once, and over after 24 quiet hours."""
    rows = np.flatnonzero(scores >= threshold)
    return rows[np.diff(rows, prepend=-QUIET_HOURS - 1) > QUIET_HOURS]


def score_at(groups: list[Judged], threshold: float) -> float:
    """What all files of the groups come to with this threshold."""
    files = [file for group in groups for file in group.files]
    found = [told(scores, threshold) for group in groups for scores in group.scores]
    return group_score(files, found)


def best_threshold(groups: list[Judged]) -> float:
    """The one threshold that scores best over all files of the groups."""
    known = np.concatenate([scores for group in groups for scores in group.scores])
    known = known[~np.isnan(known)]
    candidates = np.unique(np.quantile(known, np.linspace(0.5, 1, _CANDIDATES)))
    return max((score_at(groups, float(each)), float(each)) for each in candidates)[1]


def alarms(group: Judged, threshold: float) -> int:
    """How often the judged part of the files is told of."""
    return sum(
        int((told(scores, threshold) >= file.judged_from).sum())
        for file, scores in zip(group.files, group.scores, strict=True)
    )
