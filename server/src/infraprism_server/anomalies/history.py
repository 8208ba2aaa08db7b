"""What entities cost, hour by hour, held so that any window of hours is one subtraction.

Hours are integers since 1970-01-01T00Z. Money is float64 pico-dollars here: exact up to 9,007
dollars a cell, and only statistics are made of it. Amounts that are told are summed elsewhere.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

SEASON_HOURS: Final = 14 * 24
"""An entity known for less is young."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_Number = TypeVar("_Number", np.float64, np.int32)


class History:
    """A matrix of hours by entities: what was spent, and which hours nothing is learnt from."""

    def __init__(self, first_hour: int, cost: Floats, calls: Floats, known_from: Ints) -> None:
        """`cost` is (hours, entities); `calls` the events of each entity over all of it;
        `known_from` the hour each entity was first seen: hours before it teach nothing."""
        self.first_hour = first_hour
        self.cost = cost
        self.known_from = known_from
        spent = cost.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.cost_per_call = np.where(calls > 0, spent / calls, 0.0)
        self._sums = _running_sums(cost, np.float64)
        hours = np.arange(first_hour, first_hour + cost.shape[0])[:, None]
        self._left_out: Bools = hours < known_from[None, :]
        self._left_out_sums = _running_sums(self._left_out, np.int32)
        self._busy_sums = _running_sums(cost > 0, np.int32)

    @property
    def entities(self) -> int:
        return int(self.cost.shape[1])

    @property
    def end_hour(self) -> int:
        """The hour after the last one."""
        return self.first_hour + int(self.cost.shape[0])

    def leave_out(self, entity: int, start_hour: int, end_hour: int) -> None:
        """Mask the hours from start to before end: an episode, not a habit.

        A young entity's are not: it has no habit yet, and could not learn one."""
        if start_hour - self.known_from[entity] < SEASON_HOURS:
            return
        start, end = self._place(start_hour), self._place(end_hour)
        if start < end:
            self._left_out[start:end, entity] = True
            self._recount(entity, start)

    def take_back(self, entity: int, start_hour: int, end_hour: int) -> None:
        """Learn from masked hours after all, and from nothing before them: the new normal."""
        start, end = self._place(start_hour), self._place(end_hour)
        self._left_out[start:end, entity] = False
        self._left_out[:start, entity] = True
        self.known_from[entity] = max(int(self.known_from[entity]), start_hour)
        self._recount(entity, 0)

    def window(self, end_hour: int, hours: int, entities: Ints | None = None) -> Floats:
        """What was spent in the `hours` hours of which `end_hour` is the last."""
        last = end_hour - self.first_hour + 1
        chosen = slice(None) if entities is None else entities
        found: Floats = self._sums[last, chosen] - self._sums[max(0, last - hours), chosen]
        return found

    def busy_hours(self, end_hour: int, hours: int, entities: Ints) -> Ints:
        """In how many of the `hours` hours before `end_hour` each entity spent anything."""
        last = end_hour - self.first_hour
        found: Ints = (
            self._busy_sums[last, entities] - self._busy_sums[max(0, last - hours), entities]
        )
        return found

    def all_windows(self, hour: int, hours: int, days: int, entities: Ints) -> Floats:
        """(ends, entities): every earlier window of these days, masked or not; none overlaps."""
        oldest = max(hour - days * 24, self.first_hour + hours - 1)
        last = np.arange(oldest, hour - hours + 1) - self.first_hour + 1
        found: Floats = (
            self._sums[last[:, None], entities] - self._sums[last[:, None] - hours, entities]
        )
        return found

    def windows(self, ends: Ints, hours: int, entities: Ints | None = None) -> Floats:
        """(ends, entities): the sums of windows that end at these hours; NaN where masked,
        unknown, or outside of the matrix."""
        last = ends - self.first_hour + 1
        inside = (last - hours >= 0) & (last < self._sums.shape[0])
        result = np.full((len(ends), self.entities if entities is None else len(entities)), np.nan)
        after, before = last[inside], last[inside] - hours
        chosen = slice(None) if entities is None else entities
        sums, left_out = self._sums, self._left_out_sums
        if entities is None:
            found = sums[after] - sums[before]
            hidden = left_out[after] != left_out[before]
        else:
            found = sums[after[:, None], chosen] - sums[before[:, None], chosen]
            hidden = left_out[after[:, None], chosen] != left_out[before[:, None], chosen]
        found[hidden] = np.nan
        result[inside] = found
        return result

    def _place(self, hour: int) -> int:
        return min(max(hour - self.first_hour, 0), int(self.cost.shape[0]))

    def _recount(self, entity: int, start: int) -> None:
        counted = np.cumsum(self._left_out[start:, entity]) + self._left_out_sums[start, entity]
        self._left_out_sums[start + 1 :, entity] = counted


def _running_sums(rows: NDArray[Any], kind: type[_Number]) -> NDArray[_Number]:
    """Of the rows before each, and of all: one row more than there are.

    Row by row, which are the additions of numpy's cumsum in its order and a third of its time:
    that goes down one column after the other, and each of its steps is another cache line.
    """
    sums: NDArray[_Number] = np.zeros((rows.shape[0] + 1, rows.shape[1]), dtype=kind)
    for place, row in enumerate(rows):
        np.add(sums[place], row, out=sums[place + 1])
    return sums
