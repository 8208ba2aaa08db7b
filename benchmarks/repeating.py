"""Asking the same kind of question until its 99th percentile means something."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.percentiles import percentile


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often: `most` times, or fewer when they take long, but `least` times anyhow."""

    most: int
    least: int = 60
    seconds: float = 6.0

    def among(self, calls: int, seconds: float) -> bool:
        """Whether to ask once more after so many calls that took so long together."""
        return calls < self.most and (calls < self.least or seconds < self.seconds)


@dataclass(frozen=True, slots=True)
class Taken:
    """Milliseconds. The first call finds nothing ready that the others find, and stands apart."""

    first_ms: float
    again_ms: list[float]
    """Ascending."""

    @property
    def calls(self) -> int:
        return 1 + len(self.again_ms)

    @property
    def p50_ms(self) -> float:
        return percentile(self.again_ms, 50)

    @property
    def p99_ms(self) -> float:
        return percentile(self.again_ms, 99)


def repeat(ask: Callable[[], float], repeats: Repeats) -> Taken:
    """Ask once, and then as often as `repeats` says. `ask` answers with its milliseconds."""
    first_ms = ask()
    again_ms: list[float] = []
    began = time.perf_counter()
    while repeats.among(len(again_ms), time.perf_counter() - began):
        again_ms.append(ask())
    return Taken(first_ms, sorted(again_ms))
