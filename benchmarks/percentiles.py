"""Percentiles of measured times."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all are not above (nearest rank)."""
    if not ascending:
        raise ValueError("nothing was measured")
    rank = -(-len(ascending) * percent // 100)
    return ascending[max(0, int(rank) - 1)]
