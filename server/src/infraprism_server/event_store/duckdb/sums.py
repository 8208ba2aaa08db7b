"""The columns of a sum: how they are made from event rows, from rollup rows, and read back.

DuckDB adds integers into 128 bits: no sum passes through a float, and none overflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from infraprism_server.event_store.contract import Sums

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

EVENT_SUMS: Final = ", ".join(
    f"{_FROM_EVENTS.get(field, f'sum({field})')} AS {field}" for field in SUM_FIELDS
)
"""Select list over event rows."""

ROLLUP_SUMS: Final = ", ".join(f"sum({field}) AS {field}" for field in SUM_FIELDS)
"""Select list over rows that are sums already."""

SUM_NAMES: Final = ", ".join(SUM_FIELDS)


def sums_from_row(row: Sequence[int | None]) -> Sums:
    """Sums from SUM_FIELDS in their order; the sum over no rows is zero."""
    return Sums(**{field: value or 0 for field, value in zip(SUM_FIELDS, row, strict=True)})
