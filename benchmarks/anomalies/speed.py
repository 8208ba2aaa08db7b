"""What judging costs: CPU seconds and memory for many entities, beside plain numpy."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import msgspec
import numpy as np

from infraprism_server.anomalies import detection
from infraprism_server.anomalies.band import HISTORY_HOURS
from infraprism_server.anomalies.drift import find_drifts
from infraprism_server.anomalies.finding import Tuning
from infraprism_server.anomalies.history import History
from infraprism_server.anomalies.newcomers import find_newcomers
from infraprism_server.anomalies.reading import PAGE_ENTITIES

_FIRST_HOUR = 482_664
_MEGABYTE = 1 << 20


class Speed(msgspec.Struct, frozen=True):
    """Of one closed hour (at a day's end, when drifts are looked for as well)."""

    entities: int
    cpu_seconds: float
    floor_cpu_seconds: float
    """The medians and sums of the same windows alone, in numpy."""
    peak_bytes: int
    """Resident memory of the process that did it, interpreter included."""


def measure(entities: int) -> Speed:
    """In a process of its own, page by page as the server reads them."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.anomalies.speed", str(entities)]
    child = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(child.stdout, type=Speed)


def _run(entities: int) -> Speed:
    rng = np.random.default_rng(1)
    cpu = floor = 0.0
    left = entities
    while left > 0:
        width = min(PAGE_ENTITIES, left)
        left -= width
        page = _page(rng, width)
        began = time.process_time()
        history = History(_FIRST_HOUR, *page)
        hour = history.end_hour - 1
        tuning = Tuning()
        detection.find_spikes(history, hour, tuning)
        find_newcomers(history, hour, tuning)
        find_drifts(history, hour, tuning)
        cpu += time.process_time() - began
        began = time.process_time()
        _floor(page[0])
        floor += time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Speed(entities, cpu, floor, peak)


def _page(rng: np.random.Generator, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dollars of every kind of customer, a third of whom works now and then."""
    hours = HISTORY_HOURS + 1
    a_day = np.exp(rng.normal(np.log(12), 1.6, width)) * 1e12
    cost = rng.gamma(9.0, 1 / 9, (hours, width))
    cost *= a_day / 24
    cost *= 1 + 0.5 * np.sin(2 * np.pi * np.arange(hours) / 24)[:, None]
    idle = np.flatnonzero(rng.random(width) < 1 / 3)
    cost[:, idle] *= rng.random((hours, len(idle))) < 0.2
    return cost, np.full(width, 1000.0), np.full(width, _FIRST_HOUR)


def _floor(cost: np.ndarray) -> None:
    sums = np.concatenate((np.zeros((1, cost.shape[1])), np.cumsum(cost, axis=0)))
    last = len(cost)
    for window in (1, 6, 24):
        ends = np.array([last - 24 * day - near for day in range(2, 16) for near in (0, 1, 2)])
        np.median(sums[ends] - sums[ends - window], axis=0)


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(_run(int(sys.argv[1]))).decode())
