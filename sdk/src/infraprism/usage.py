"""Token usage as one shape, from every shape that providers answer with. Pure.

Totals are inclusive, details are subsets of them: as the server counts. Which shape an answer has
is told by its keys, never by the provider's name, because compatible servers mix them.
Sources: the providers' API references; vectors of each in sdk/usage_vectors.json.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MAX_TOKENS: Final = 1_000_000_000
MAX_COST_USD: Final = Decimal(1_000_000)
TICKS_OF_A_DOLLAR: Final = 10_000_000_000
"""docs.x.ai: `cost_in_usd_ticks` is what a request cost, in 1e-10 dollars."""

TOKEN_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)

_TIERS: Final = {
    "standard": "standard",
    "default": "standard",
    "flex": "flex",
    "batch": "batch",
    "priority": "priority",
}

_UNUSUAL: Final = frozenset(
    {
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "input_token_details",
        "output_token_details",
        "server_tool_use",
        "tool_usage",
        "num_search_queries",
        "cost",
        "cost_in_usd_ticks",
    }
)
"""What OpenAI's own usage never has at its top. Looking for each of them took the upload thread as
long as all the rest of an event."""

Usage = dict[str, Any]
"""Fields of an event, those that are not zero; `cost_usd` is a Decimal where it was reported."""


def normalise(raw: Mapping[str, Any], service_tier: object = None) -> Usage:
    """Event fields of a provider's `usage` object; {} when nothing in it is usable."""
    is_usual = _UNUSUAL.isdisjoint(raw)
    if is_usual or not _is_anthropic(raw):
        usage = _inclusive(raw, is_usual=is_usual)
    else:
        usage = _anthropic(raw)
    result: Usage = {name: count for name, count in usage.items() if count}
    if not is_usual and (cost := _reported_cost(raw)) is not None:
        result["cost_usd"] = cost
    tier = service_tier or raw.get("service_tier")
    if tier and (named := _TIERS.get(str(tier), "standard")) != "standard":
        result["service_tier"] = named
    return result


def as_mapping(value: object) -> dict[str, Any] | None:
    """What a provider's model object holds, as it holds it: nothing is validated or copied."""
    if isinstance(value, dict):
        return value
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict):
        return None
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if extra else fields


def _is_anthropic(raw: Mapping[str, Any]) -> bool:
    """Anthropic's input excludes what its cache served: these keys exist nowhere else."""
    return (
        raw.get("cache_read_input_tokens") is not None
        or raw.get("cache_creation_input_tokens") is not None
    )


def _anthropic(raw: Mapping[str, Any]) -> dict[str, int]:
    read = _count(raw.get("cache_read_input_tokens"))
    written = _count(raw.get("cache_creation_input_tokens"))
    hour = _count(_part(raw, "cache_creation").get("ephemeral_1h_input_tokens"))
    hour = min(hour, written)
    return {
        "input_tokens": _count(raw.get("input_tokens")) + read + written,
        "output_tokens": _count(raw.get("output_tokens")),
        "cache_read_input_tokens": read,
        "cache_write_input_tokens": written - hour,
        "cache_write_1h_input_tokens": hour,
        "reasoning_output_tokens": min(
            _count(_part(raw, "output_tokens_details").get("thinking_tokens")),
            _count(raw.get("output_tokens")),
        ),
        "web_search_requests": _count(_part(raw, "server_tool_use").get("web_search_requests")),
    }


def _inclusive(raw: Mapping[str, Any], *, is_usual: bool) -> dict[str, int]:
    """OpenAI's two shapes and everything made after them: details are inside the totals.

    `is_usual`: none of the `_UNUSUAL` names is there, so none is looked for.
    """
    details_in = _part(raw, "prompt_tokens_details") or _part(raw, "input_tokens_details")
    details_out = _part(raw, "completion_tokens_details") or _part(raw, "output_tokens_details")
    cached = written = hour = audio_in = reasoning = audio_out = searches = 0
    if not is_usual:
        details_in = details_in or _part(raw, "input_token_details")
        details_out = details_out or _part(raw, "output_token_details")
        cached = _first(raw, "prompt_cache_hit_tokens", "cached_tokens")
        reasoning = _first(raw, "reasoning_tokens")
        searches = _searches(raw)
    if details_in:
        cached = _count(details_in.get("cached_tokens")) or cached
        written = _first(details_in, "cache_write_tokens", "cache_creation_tokens")
        hour = _count(details_in.get("cache_write_1h_tokens"))
        audio_in = _count(details_in.get("audio_tokens"))
    if details_out:
        reasoning = _count(details_out.get("reasoning_tokens")) or reasoning
        audio_out = _count(details_out.get("audio_tokens"))
    total_in = _first(raw, "prompt_tokens", "input_tokens")
    total_out = _first(raw, "completion_tokens", "output_tokens")
    if reasoning and _count(raw.get("total_tokens")) == total_in + total_out + reasoning:
        total_out += reasoning  # xAI: reasoning stands beside the completion, the total says so
    usage = {"input_tokens": total_in, "output_tokens": total_out}
    if cached:
        usage["cache_read_input_tokens"] = cached = min(cached, total_in)
    if written:
        usage["cache_write_input_tokens"] = written = min(written, total_in - cached)
    if hour:
        usage["cache_write_1h_input_tokens"] = min(hour, total_in - cached - written)
    if reasoning:
        usage["reasoning_output_tokens"] = min(reasoning, total_out)
    if audio_in:
        usage["input_audio_tokens"] = min(audio_in, total_in)
    if audio_out:
        usage["output_audio_tokens"] = min(audio_out, total_out)
    if searches:
        usage["web_search_requests"] = searches
    return usage


def _searches(raw: Mapping[str, Any]) -> int:
    return (
        _count(_part(raw, "server_tool_use").get("web_search_requests"))
        or _first(_part(_part(raw, "tool_usage"), "web_search"), "num_requests")
        or _first(raw, "num_search_queries")
    )


def _reported_cost(raw: Mapping[str, Any]) -> Decimal | None:
    """OpenRouter's `cost` (credits are dollars), Perplexity's `cost.total_cost`, xAI's ticks."""
    value: object = raw.get("cost")
    if isinstance(value, Mapping):
        value = value.get("total_cost")
    cost = _decimal(value)
    if cost is None and (ticks := _decimal(raw.get("cost_in_usd_ticks"))) is not None:
        cost = ticks / TICKS_OF_A_DOLLAR
    return cost if cost is not None and 0 <= cost <= MAX_COST_USD else None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):  # not a number, or one of thousands of digits
        return None
    return number if number.is_finite() else None


def _part(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if value is None:
        return _NONE
    if type(value) is dict or isinstance(value, Mapping):
        return value
    if hasattr(value, "__pydantic_fields_set__"):
        return as_mapping(value) or _NONE
    return _NONE


_NONE: Final[Mapping[str, Any]] = {}


def _first(raw: Mapping[str, Any], *names: str) -> int:
    if raw:
        for name in names:
            value = raw.get(name)
            if value is not None:
                return _count(value)
    return 0


def _count(value: object) -> int:
    """A count of tokens the server takes; anything else is none."""
    if value is None:
        return 0
    if type(value) is int and 0 <= value <= MAX_TOKENS:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return 0
    return int(min(max(value, 0), MAX_TOKENS))
