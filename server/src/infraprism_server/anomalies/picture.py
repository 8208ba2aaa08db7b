"""The picture of an entity: each hour beside the band it was judged by. Amounts for eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from infraprism_server.anomalies import band as bands
from infraprism_server.anomalies.detection import SCALES
from infraprism_server.anomalies.finding import Tuning
from infraprism_server.anomalies.reading import Series, forget, forget_planned
from infraprism_server.anomalies.store import AnomalyRow, PlannedRow
from infraprism_server.clock import MICROSECONDS_PER_HOUR


class BandPoint(msgspec.Struct, frozen=True):
    """One hour of a picture; the band is None while too little is known. Pico-dollars."""

    start_us: int
    actual_pico: int
    expected_pico: int | None
    lower_pico: int | None
    upper_pico: int | None


def draw(
    series: Series,
    hours: Sequence[int],
    *,
    known: Iterable[AnomalyRow],
    planned: Iterable[PlannedRow],
    tuning: Tuning,
    offset_of: Callable[[int], int],
) -> list[BandPoint]:
    """The hours, ascending, of an entity that was read alone.

    `known` are the entity's own anomalies, `offset_of` an hour's distance from UTC in hours. What
    became the new normal is learnt from when it did, not before.
    """
    history = series.history
    for plan in planned:
        forget_planned(history, 0, series.names[0], plan)
    coming = []
    for row in known:
        if row.new_normal:
            coming.append(row)
        forget(history, 0, msgspec.structs.replace(row, new_normal=False))
    chosen = np.array([0])
    points = []
    for hour in hours:
        while coming and coming[0].episode.end_hour <= hour:
            forget(history, 0, coming.pop(0))
        one = bands.band(history, hour, 1, offset_hours=offset_of(hour), chosen=chosen)
        expected, scale = one.expected[0], one.scale[0]
        start_us = hour * MICROSECONDS_PER_HOUR
        actual = series.exact_pico[hour - history.first_hour]
        if np.isnan(expected):
            points.append(BandPoint(start_us, actual, None, None, None))
            continue
        reach = SCALES[tuning.sensitivity][0] * scale
        low, high = max(0, round(expected - reach)), round(expected + reach)
        points.append(BandPoint(start_us, actual, round(expected), low, high))
    return points
