"""Invented events: arrow tables for the store's bulk path, JSON bodies for ingest over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from benchmarks.rates import PRICED, RateId, rate_table
from benchmarks.workload import CALLS, DAYS, MACROS
from infraprism_server.clock import MICROSECONDS_PER_DAY, iso_utc
from infraprism_server.event_store.duckdb.bulk import BULK_SCHEMA
from infraprism_server.pricing.price_book import PriceBook

CHUNK_EVENTS: Final = 500_000
SPAN_US: Final = DAYS * MICROSECONDS_PER_DAY
_SEEDS: Final = 8_000_009
"""Different ones: more would not fit into 64 bits where numbers are drawn (workload.py)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which events: so many, evenly over a span of time (with quieter nights), from a seed."""

    events: int
    end_us: int
    seed: int = 1
    span_us: int = SPAN_US

    @property
    def start_us(self) -> int:
        return self.end_us - self.span_us


class Generator:
    """Makes the events of a plan. Holds an in-memory DuckDB of its own."""

    def __init__(self, plan: Plan, *, threads: int | None = None) -> None:
        self.plan = plan
        self._connection = duckdb.connect(config={"threads": str(threads)} if threads else {})
        for macro in MACROS:
            self._connection.execute(macro)

    def calls(self, first: int, last: int) -> pa.Table:
        """Rows first to last (exclusive) as they are reported: without a cost."""
        return self._connection.sql(
            CALLS,
            params={
                "seed": self.plan.seed % _SEEDS,
                "events": self.plan.events,
                "start_us": self.plan.start_us,
                "span_us": self.plan.span_us,
                "first": first,
                "last": last,
            },
        ).to_arrow_table()

    def tables(
        self, book: PriceBook, rate_id: RateId, *, chunk_events: int = CHUNK_EVENTS
    ) -> Iterator[pa.Table]:
        """All events of the plan, priced, as tables of bulk.BULK_SCHEMA in time order."""
        rates = rate_table(book, rate_id, self.plan.start_us, self.plan.end_us)
        self._connection.register("rates", rates)
        for first in range(0, self.plan.events, chunk_events):
            calls = self.calls(first, min(first + chunk_events, self.plan.events))
            self._connection.register("calls", calls)
            yield self._connection.sql(PRICED).to_arrow_table().cast(BULK_SCHEMA)
            self._connection.unregister("calls")

    def bodies(self, count: int, events_each: int) -> list[bytes]:
        """JSON bodies for POST /v1/events, `count` of `events_each`, with native ids."""
        rows = self.calls(0, count * events_each).to_pylist()
        wire = [wire_event(row) for row in rows]
        return [
            json.dumps(
                {"events": wire[start : start + events_each]}, separators=(",", ":")
            ).encode()
            for start in range(0, len(wire), events_each)
        ]

    def close(self) -> None:
        self._connection.close()


def wire_event(row: dict[str, Any]) -> dict[str, Any]:
    """A call as a client reports it: what is absent or zero is left out."""
    event = {
        "id": f"evt_{row['id'].hex()}",
        "timestamp": iso_utc(row["timestamp_us"]),
        "provider": row["provider"],
        "model": row["model"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cache_read_input_tokens": row["cache_read_input_tokens"] or None,
        "cache_write_input_tokens": row["cache_write_input_tokens"] or None,
        "reasoning_output_tokens": row["reasoning_output_tokens"] or None,
        "latency_ms": row["latency_ms"],
        "entity_type": row["entity_type"],
        "entity_id": row["entity_id"],
        "session_id": row["session_id"],
        "tags": json.loads(row["tags"]),
        "success": row["success"],
        "error_type": row["error_type"],
        "error_code": row["error_code"],
    }
    return {name: value for name, value in event.items() if value is not None}
