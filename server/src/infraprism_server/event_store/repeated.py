"""A column of few different values, such as models: each value once, and which stands where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_Value = TypeVar("_Value")
_Other = TypeVar("_Other")


class Repeated(Generic[_Value]):
    """Immutable. What is to be known of each value is asked once, however often it stands there."""

    __slots__ = ("length", "places", "values")

    def __init__(
        self, values: Sequence[_Value], places: NDArray[np.int32] | None, length: int
    ) -> None:
        self.values = values
        self.places = places
        """Positions in `values`; None when there is only one."""
        self.length = length

    @classmethod
    def of(cls, column: Sequence[_Value]) -> Repeated[_Value]:
        """Of a column with at least one value."""
        length = len(column)
        if column.count(column[0]) == length:
            return cls((column[0],), None, length)
        values = list(dict.fromkeys(column))
        place = dict(zip(values, range(len(values)), strict=True))
        return cls(values, np.fromiter(map(place.__getitem__, column), np.int32, length), length)

    def at(self, place: int) -> _Value:
        """The value at a place."""
        return self.values[0 if self.places is None else self.places[place]]

    def expanded(self) -> list[_Value]:
        """The column as it was."""
        if self.places is None:
            return [self.values[0]] * self.length
        return list(map(self.values.__getitem__, self.places.tolist()))

    def renamed(self, name: Callable[[_Value], _Other]) -> Repeated[_Other]:
        """The column with another value in the place of each."""
        return Repeated(list(map(name, self.values)), self.places, self.length)

    def spread(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """The number of each value, given in their order, in every place."""
        of_values = np.array(numbers, np.int64)
        if self.places is None:
            return np.repeat(of_values, self.length)
        spread: NDArray[np.int64] = of_values[self.places]
        return spread

    def mapped(self, code: Callable[[_Value], Any], kind: pa.DataType) -> pa.Array:
        """The column as arrow has it, with something else in the place of each value."""
        return self.with_values(list(map(code, self.values)), kind)

    def with_values(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """The same, from what stands for each of `values`, in their order."""
        if self.places is None:
            return pa.repeat(pa.scalar(values[0], kind), self.length)
        return pa.array(values, kind).take(pa.array(self.places))
