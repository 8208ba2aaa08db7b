"""The columns of a sum: how they are made from event rows, from rollup rows, and read back.

DuckDB adds integers into 128 bits: no sum passes through a float, and none overflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from infraprism_server.event_store.sums import Sums

SUM_FIELDS: Final = tuple(Sums.__struct_fields__)

_FROM_EVENTS: Final = {
    "events": "count(*)",
    "errors": "count(*) FILTER (NOT success)",
    "unpriced_events": "count(*) FILTER (cost_source = 2)",
    "cost_pico": "sum(cost_pico)",
    "reported_cost_pico": "coalesce(sum(cost_pico) FILTER (cost_source = 1), 0)",
    "latency_ms": "coalesce(sum(latency_ms), 0)",
    "latency_events": "count(latency_ms)",
}


@dataclass(frozen=True, slots=True)
class SumColumns:
    """Select lists of some sums, and how they are read back."""

    fields: tuple[str, ...]
    of_events: str
    """Over event rows."""
    of_sums: str
    """Over rows that are sums already."""
    names: str

    def read(self, row: Sequence[int | None]) -> Sums:
        """Sums from the fields in their order; the sum over no rows is zero."""
        return Sums(**{field: value or 0 for field, value in zip(self.fields, row, strict=True)})


def _columns(fields: tuple[str, ...]) -> SumColumns:
    return SumColumns(
        fields=fields,
        of_events=", ".join(
            f"{_FROM_EVENTS.get(field, f'sum({field})')} AS {field}" for field in fields
        ),
        of_sums=", ".join(f"sum({field}) AS {field}" for field in fields),
        names=", ".join(fields),
    )


@lru_cache
def columns_of(wanted: frozenset[str]) -> SumColumns:
    """The columns of the wanted fields (none named: all) and of the cost, by which groups rank.

    ValueError for a name that is no sum: it would be shown as zero.
    """
    if unknown := wanted.difference(SUM_FIELDS):
        raise ValueError(f"no such sums: {', '.join(sorted(unknown))}")
    chosen = {*wanted, "cost_pico"} if wanted else set(SUM_FIELDS)
    return _columns(tuple(field for field in SUM_FIELDS if field in chosen))


ALL_SUMS: Final = _columns(SUM_FIELDS)
EVENT_SUMS: Final = ALL_SUMS.of_events
ROLLUP_SUMS: Final = ALL_SUMS.of_sums
SUM_NAMES: Final = ALL_SUMS.names
NEGATED_SUMS: Final = ", ".join(f"-{field} AS {field}" for field in SUM_FIELDS)
"""To take some sums out of others by adding them."""
