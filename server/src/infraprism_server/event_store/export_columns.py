"""The columns of an exported file, whichever engine writes it: part of the contract."""

from __future__ import annotations

EXPORT_COLUMNS = (
    "id",
    "timestamp",
    "model",
    "provider",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "latency_ms",
    "entity_type",
    "entity_id",
    "tags",
    "success",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
    "service_tier",
    "session_id",
    "error_type",
    "error_code",
    "cost_source",
    "computed_cost_usd",
)
"""An exported event: names and meanings as in GET /v1/events. Costs are exact decimals with 12
digits after the point; `timestamp` is ISO 8601 text, in parquet an instant; `tags` is an object,
in csv and parquet its JSON text."""
