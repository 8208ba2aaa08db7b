"""Hourly costs of many entities as columns: what anomalies are found in."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray


class HourlyCosts(msgspec.Struct, frozen=True):
    """A page of entities and a row for each of their hours that has events.

    Rows are in no order. `cost_pico` is float64: exact up to 2^53 (9,007 dollars),
    for statistics; `usage` has the exact sums.
    """

    entities: list[tuple[str, str]]
    """(type, id) of each."""
    first_seen_us: list[int]
    """Of all time."""
    entity: NDArray[np.int64]
    """Place in `entities`."""
    hour: NDArray[np.int64]
    """Hours since 1970-01-01T00Z."""
    cost_pico: NDArray[np.float64]
    events: NDArray[np.int64]
    next_page: int | None
    """What to give for the page after this one; None: it was the last."""
