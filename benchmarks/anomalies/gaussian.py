"""The windowed Gaussian detector, from its description: a check of the scoring rule.

Its published score on the same files is known, so our rule must come to about the same.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.anomalies.nab_score import Labelled, group_score

WINDOW_ROWS = 6_400
STEP_ROWS = 100
THRESHOLD = 1.0
"""The one it was published with: the tail is below what a float tells from 0."""
_LEAST_DEVIATION = 1e-6


def windowed_gaussian(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 minus the tail probability of each row beside the rows before it."""
    scores = np.zeros(len(values))
    window: list[float] = []
    waiting: list[float] = []
    mean, deviation = 0.0, 1.0
    for row, value in enumerate(values):
        if window:
            away = abs(value - mean) / deviation
            scores[row] = 1.0 - 0.5 * math.erfc(away / math.sqrt(2))
        if len(window) < WINDOW_ROWS:
            window.append(float(value))
        else:
            waiting.append(float(value))
            if len(waiting) < STEP_ROWS:
                continue
            window, waiting = window[STEP_ROWS:] + waiting, []
        mean = float(np.mean(window))
        deviation = float(np.std(window)) or _LEAST_DEVIATION
    return scores


def gaussian_score(files: list[Labelled]) -> float:
    """What it scores on files of 5-minute rows."""
    found = [np.flatnonzero(windowed_gaussian(file.values) >= THRESHOLD) for file in files]
    return group_score(files, found)
