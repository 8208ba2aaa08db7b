"""What the invented traffic looks like: who calls which model how often, with which tags.

Everything follows from a seed and a row's number, by hashing inside DuckDB: the same seed gives
the same bytes, in any chunk size, without a random generator's state.
"""

from __future__ import annotations

import json
from typing import Final

DAYS: Final = 180
CUSTOMERS: Final = 2_000
PROJECTS: Final = 20

MODELS: Final = (
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-4o"),
    ("google", "gemini-2.5-flash"),
    ("openai", "gpt-5-mini"),
    ("anthropic", "claude-haiku-4-5"),
    ("openai", "gpt-4.1"),
    ("google", "gemini-2.5-pro"),
    ("openai", "gpt-5"),
    ("openai", "gpt-4.1-mini"),
    ("anthropic", "claude-opus-4-1"),
    ("openai", "o3"),
)
"""Most used first. Those from REASONING on spend a part of their output on reasoning."""
REASONING: Final = frozenset({"gpt-5-mini", "gpt-5", "o3", "gemini-2.5-pro", "gemini-2.5-flash"})
CACHE_WRITERS: Final = "anthropic"

ENVIRONMENTS: Final = ("production", "staging", "development")
FEATURES: Final = ("chat", "search", "summary", "extraction", "agent")
TEAMS: Final = ("core", "growth", "support", "research")
TAG_SETS: Final = tuple(
    {"env": env, "feature": feature, "team": team}
    for env in ENVIRONMENTS
    for feature in FEATURES
    for team in TEAMS
)


def canonical(tags: dict[str, str]) -> str:
    """Tags as the server stores them: keys sorted, no spaces."""
    return json.dumps(tags, sort_keys=True, separators=(",", ":"))


def customer(number: int) -> str:
    """The id of a customer; 1 calls most (about 9 % of all calls), CUSTOMERS calls least."""
    return f"customer-{number:04d}"


def _texts(values: list[str]) -> str:
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


MACROS: Final = (
    # The argument of each draw is a number of its own: hash(a, b) would only xor two hashes.
    "CREATE MACRO draw(i, k, seed) AS hash(i * 64 + k + seed * 1000000007000)",
    "CREATE MACRO u(i, k, seed) AS (draw(i, k, seed) >> 11)::DOUBLE / 9007199254740992.0",
    "CREATE MACRO half_even(n, d) AS n // d + CASE WHEN 2 * (n % d) > d"
    " OR (2 * (n % d) = d AND (n // d) % 2 = 1) THEN 1 ELSE 0 END",
    "CREATE MACRO charged(quantity, pico, divisor) AS CASE WHEN quantity = 0 THEN 0"
    " WHEN divisor = 1 THEN quantity::BIGINT * pico"
    " ELSE half_even(quantity::HUGEINT * pico, divisor::HUGEINT)::BIGINT END",
)

CALLS: Final = f"""
WITH drawn AS (
    SELECT i, (i + u(i, 0, $seed)) / $events AS x,
    floor(pow({CUSTOMERS + 1}, u(i, 1, $seed)))::BIGINT AS rank,
    u(i, 2, $seed) AS owner, u(i, 3, $seed) AS size_in, u(i, 4, $seed) AS size_out,
    u(i, 5, $seed) AS cached, u(i, 6, $seed) AS written, u(i, 7, $seed) AS pace,
    u(i, 8, $seed) >= 0.01 AS success, u(i, 9, $seed) AS fault,
    floor({len(TAG_SETS)} * pow(u(i, 10, $seed), 1.4))::INTEGER AS tag_no
    FROM range($first::BIGINT, $last::BIGINT) numbers(i)),
chosen AS (
    SELECT *, floor({len(MODELS)} * pow(CASE WHEN u(i, 11, $seed) < 0.7
        THEN u(rank, 12, $seed) ELSE u(i, 13, $seed) END, 1.6))::INTEGER AS model_no,
    -- Nights are quieter: the clock is bent, and stays monotonous.
    $start_us + ($span_us * (x - 0.6 / (2 * pi() * {DAYS}) * sin(2 * pi() * {DAYS} * x)))::BIGINT
        AS timestamp_us,
    CASE WHEN success THEN floor(60 * pow(CASE WHEN u(i, 14, $seed) < 0.002 THEN 5000 ELSE 400 END,
        size_in))::INTEGER ELSE 0 END AS input_tokens,
    CASE WHEN success THEN floor(4 * pow(800, size_out))::INTEGER ELSE 0 END AS output_tokens
    FROM drawn),
named AS (
    SELECT *, {_texts([provider for provider, _ in MODELS])}[model_no + 1] AS provider,
    {_texts([model for _, model in MODELS])}[model_no + 1] AS model FROM chosen)
SELECT i, unhex(printf('%012x7%03x%016x', timestamp_us // 1000,
    (draw(i, 15, $seed) & 4095)::BIGINT,
    ((draw(i, 16, $seed) & 4611686018427387903) | 9223372036854775808))) AS id,
timestamp_us, model_no, provider, model, input_tokens, output_tokens,
CASE WHEN cached < 0.4 THEN floor(input_tokens * cached * 2)::INTEGER ELSE 0 END
    AS cache_read_input_tokens,
CASE WHEN written < 0.1 AND provider = '{CACHE_WRITERS}'
    THEN floor(input_tokens * written * 2)::INTEGER ELSE 0 END AS cache_write_input_tokens,
CASE WHEN model IN ({", ".join(f"'{model}'" for model in sorted(REASONING))})
    THEN floor(output_tokens * cached * 0.9)::INTEGER ELSE 0 END AS reasoning_output_tokens,
(150 + input_tokens / 40 + (CASE WHEN success THEN output_tokens * (4 + 20 * pace)
    ELSE 900 * pace END))::INTEGER AS latency_ms,
CASE WHEN owner < 0.02 THEN NULL WHEN owner < 0.07 THEN 'project' ELSE 'customer' END
    AS entity_type,
CASE WHEN owner < 0.02 THEN NULL
    WHEN owner < 0.07 THEN printf('project-%02d', rank % {PROJECTS} + 1)
    ELSE printf('customer-%04d', rank) END AS entity_id,
CASE WHEN u(rank, 17, $seed) < 0.6 THEN printf('ses_%016x', draw(rank * 1099511627776 +
    floor(i * ln((rank + 1) / rank) / ln({CUSTOMERS + 1}) / 8)::BIGINT, 18, $seed)) END
    AS session_id,
{_texts([canonical(tags) for tags in TAG_SETS])}[tag_no + 1] AS tags, success,
CASE WHEN success THEN NULL ELSE ['rate_limit_error', 'timeout', 'overloaded_error',
    'invalid_request_error'][floor(4 * fault)::INTEGER + 1] END AS error_type,
CASE WHEN success THEN NULL ELSE ['429', '504', '529', '400'][floor(4 * fault)::INTEGER + 1] END
    AS error_code
FROM named
"""
"""Calls $first to $last of $events, in time order. About 8 calls a session, 60 % of customers."""
