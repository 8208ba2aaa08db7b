"""Seeded traffic: LLM calls that are the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-3-5-sonnet-20241022"),
    ("in-house", "nobody-knows-its-price"),
]
ENTITIES = [(None, None), ("customer", "acme-corp"), ("customer", "globex/eu"), ("team", "core")]
FEATURES = ["chatbot", "search", "naïve – ünïcode"]
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
SPAN_SECONDS = 40 * 86_400
"""Events lie in 40 days, over several months and weeks."""


def event(random: Random, event_id: str) -> dict[str, Any]:
    """One call; about a third report what they cost, a tenth failed."""
    provider, model = random.choice(MODELS)
    entity_type, entity_id = random.choice(ENTITIES)
    at = FIRST_DAY + timedelta(microseconds=random.randrange(SPAN_SECONDS * 1_000_000))
    made: dict[str, Any] = {
        "id": event_id,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "provider": provider,
        "model": model,
        "input_tokens": random.randrange(1, 20_000),
        "output_tokens": random.randrange(0, 4_000),
        "latency_ms": random.randrange(1, 60_000),
        "success": random.random() > 0.1,
    }
    if entity_type is not None:
        made |= {"entity_type": entity_type, "entity_id": entity_id}
    if random.random() < 0.5:
        made["tags"] = {"feature": random.choice(FEATURES)}
    if random.random() < 0.3:
        made["cost_usd"] = Decimal(random.randrange(1, 10**13)).scaleb(-12)
    if random.random() < 0.2:
        made["cache_read_input_tokens"] = random.randrange(0, made["input_tokens"])
    return made


def batch(random: Random, prefix: str, size: int) -> list[dict[str, Any]]:
    """`size` calls whose ids start with `prefix`."""
    return [event(random, f"{prefix}-{number}") for number in range(size)]
