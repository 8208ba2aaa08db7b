"""The scoring rule of the Numenta Anomaly Benchmark, standard profile, from its description.

A labelled window counts once, by its earliest detection: 1 at its left edge, falling to 0 at its
right one. A missed window costs 1, a false detection 0.11 (less just after a window). The first
15 % of a file (750 rows of 5 minutes at most) is not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FALSE_COST = 0.11
PROBATION = 0.15


@dataclass(frozen=True, slots=True)
class Labelled:
    """One file: when each row ends and what it says, and the windows as pairs of row numbers."""

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]
    """First and last row, both inside."""
    most_ignored: int = 750
    """Rows of 5 minutes, two days and a half."""

    @property
    def judged_from(self) -> int:
        return min(int(PROBATION * len(self.values)), self.most_ignored)


def raw_score(file: Labelled, detections: NDArray[np.int64]) -> float:
    """What the detections (row numbers) of a file are worth."""
    detections = detections[detections >= file.judged_from]
    score = 0.0
    inside = np.zeros(len(detections), dtype=bool)
    for first, last in file.windows:
        hits = (detections >= first) & (detections <= last)
        inside |= hits
        if hits.any():
            earliest = int(detections[hits].min())
            position = -(last - earliest + 1) / (last - first + 1)
            score += _sigmoid(position) / _sigmoid(-1.0)
        else:
            score -= 1.0
    for row in detections[~inside]:
        score -= FALSE_COST * _false_weight(file, int(row))
    return score


def group_score(files: list[Labelled], detections: list[NDArray[np.int64]]) -> float:
    """100 for a perfect detector, 0 for one that never speaks; below 0 for one that only errs."""
    windows = sum(len(file.windows) for file in files)
    raw = sum(raw_score(file, found) for file, found in zip(files, detections, strict=True))
    return 100 * (raw + windows) / (2 * windows)


def _false_weight(file: Labelled, row: int) -> float:
    before = [window for window in file.windows if window[1] < row]
    if not before:
        return 1.0
    first, last = before[-1]
    position = (row - last) / max(1, last - first)
    return 1.0 if position > 3 else -_sigmoid(position)


def _sigmoid(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1
