"""What is added up over events."""

from __future__ import annotations

from typing import Final

import msgspec


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """Exact sums over a set of events."""

    events: int = 0
    errors: int = 0
    unpriced_events: int = 0
    cost_pico: int = 0
    reported_cost_pico: int = 0
    """The part of cost_pico that came from events whose source is `reported`."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    cache_write_1h_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    web_search_requests: int = 0
    latency_ms: int = 0
    """Sum of the latencies that are known."""
    latency_events: int = 0
    """How many events have a known latency."""


COST: Final = frozenset({"cost_pico"})
"""For a question that wants nothing but the cost."""
