"""A line the size of a word, as the points of an SVG polyline."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 96
HEIGHT = 24
_INSET = 2


def sparkline_points(values: Sequence[int]) -> str:
    """Points from left to right between zero and the largest value; a flat line for zeros."""
    top = max(values, default=0) or 1
    step = (WIDTH - 2 * _INSET) / max(len(values) - 1, 1)
    drawn = HEIGHT - 2 * _INSET
    return " ".join(
        f"{_INSET + index * step:.1f},{_INSET + drawn - drawn * value / top:.1f}"
        for index, value in enumerate(values)
    )
