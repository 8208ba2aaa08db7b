"""The real prices of the invented traffic, as rows that whole columns of calls are priced by.

The rates are the server's own (PriceBook); only the multiplication is done by column here, and
exactly: integers, rounded half to even. A test compares it with PricingService event by event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from benchmarks.workload import MODELS
from infraprism_server.event_store.contract import Event
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.rate_card import Rate, RateCard

RateId = Callable[[Event], int | None]
"""The row of rates that an event is charged by: PricingService.quote knows it."""

UNITS: Final = ("input", "cache_read", "cache_write", "output", "reasoning")
"""What the invented calls use; they search nothing and have no sound."""
_NO_END: Final = 1 << 62

_SCHEMA: Final = pa.schema(
    [
        ("model_no", pa.int32()),
        ("from_us", pa.int64()),
        ("until_us", pa.int64()),
        ("above_tokens", pa.int64()),
        ("upto_tokens", pa.int64()),
        ("rate_id", pa.int64()),
        *((f"{unit}_pico", pa.int64()) for unit in UNITS),
        *((f"{unit}_divisor", pa.int64()) for unit in UNITS),
    ]
)

PRICED: Final = """
WITH lines AS (
    SELECT c.*, r.rate_id,
    charged(input_tokens - cache_read_input_tokens - cache_write_input_tokens,
        r.input_pico, r.input_divisor)
    + charged(cache_read_input_tokens, r.cache_read_pico, r.cache_read_divisor)
    + charged(cache_write_input_tokens, r.cache_write_pico, r.cache_write_divisor)
    + CASE WHEN r.reasoning_pico IS NULL
        THEN charged(output_tokens, r.output_pico, r.output_divisor)
        ELSE charged(output_tokens - reasoning_output_tokens, r.output_pico, r.output_divisor)
            + charged(reasoning_output_tokens, r.reasoning_pico, r.reasoning_divisor) END AS priced
    FROM calls c LEFT JOIN rates r ON r.model_no = c.model_no
    AND c.timestamp_us >= r.from_us AND c.timestamp_us < r.until_us
    AND c.input_tokens > r.above_tokens AND c.input_tokens <= r.upto_tokens)
SELECT id, NULL::VARCHAR AS id_text, timestamp_us, provider, model, input_tokens, output_tokens,
cache_read_input_tokens, cache_write_input_tokens, 0 AS cache_write_1h_input_tokens,
reasoning_output_tokens, 0 AS input_audio_tokens, 0 AS output_audio_tokens,
0 AS web_search_requests, 'standard' AS service_tier, latency_ms, entity_type, entity_id,
session_id, tags, success, error_type, error_code,
CASE WHEN free THEN 0 ELSE coalesce(priced, 0) END::BIGINT AS cost_pico,
CASE WHEN free OR priced IS NOT NULL THEN 'computed' ELSE 'unpriced' END AS cost_source,
NULL::BIGINT AS computed_cost_pico,
CASE WHEN NOT free AND priced IS NOT NULL THEN rate_id END AS rate_id
FROM (SELECT *, NOT success AND input_tokens = 0 AND output_tokens = 0 AS free FROM lines)
ORDER BY i
"""
"""`calls` (workload.CALLS) with their costs by `rates`, as columns of the store's bulk path."""


def rate_table(book: PriceBook, rate_id: RateId, start_us: int, end_us: int) -> pa.Table:
    """One row for each model, time and band of input tokens that has rates of its own."""
    rows = [
        {"model_no": number} | row
        for number, name in enumerate(MODELS)
        for row in _rows_of(book, rate_id, name, start_us, end_us)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _rows_of(
    book: PriceBook, rate_id: RateId, name: tuple[str, str], start_us: int, end_us: int
) -> Iterator[dict[str, int | None]]:
    provider, model = name
    schedule = book.find_schedule(provider, model, "standard")
    at_us = start_us
    while at_us < end_us:
        priced = None if schedule is None else schedule.at(at_us)
        if schedule is None or priced is None:
            raise ValueError(f"no price is known for {provider} {model}: choose another model")
        until_us = schedule.span_us(at_us)[1] or _NO_END
        call = Event(id="", timestamp_us=at_us, provider=provider, model=model, input_tokens=1)
        times = {"from_us": at_us, "until_us": until_us, "rate_id": rate_id(call)}
        for band in _bands(priced.card):
            yield times | band
        at_us = until_us


def _bands(card: RateCard) -> Iterator[dict[str, int | None]]:
    """The rates between two thresholds of input tokens."""
    rates = card.rates()
    edges = sorted({step.above_input_tokens for rate in rates.values() for step in rate.steps})
    for above, upto in zip([-1, *edges], [*edges, _NO_END], strict=True):
        row: dict[str, int | None] = {"above_tokens": above, "upto_tokens": upto}
        for unit in UNITS:
            rate = rates.get(unit)
            pico, divisor = (None, None) if rate is None else _at(rate, above + 1)
            row |= {f"{unit}_pico": pico, f"{unit}_divisor": divisor}
        yield row


def _at(rate: Rate, input_tokens: int) -> tuple[int, int]:
    pico, scale = rate.pico, rate.scale
    for step in rate.steps:
        if input_tokens > step.above_input_tokens:
            pico, scale = step.pico, step.scale
    return pico, 10**scale
