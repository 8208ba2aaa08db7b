"""A day of mixed traffic: calls of every kind, and what the mock answered to each, side by side."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import infraprism
from contract_tests.harness.awaiting import run_apart
from infraprism import Client
from infraprism.usage import normalise
from sdk.tests.mock_provider import Answer, MockProvider

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
PROVIDERS = {"/messages": "anthropic"}
PRICES = {
    "gpt-4o": ("2.5", "1.25", "10", "0", "0"),
    "gpt-4o-mini": ("0.15", "0.075", "0.6", "0", "0"),
    "gpt-4.1": ("2", "0.5", "8", "0", "0"),
    "gpt-5": ("1.25", "0.125", "10", "0", "0"),
    "gpt-5-mini": ("0.25", "0.025", "2", "0", "0"),
    "text-embedding-3-small": ("0.02", "0", "0", "0", "0"),
    "claude-sonnet-4-5": ("3", "0.3", "15", "3.75", "6"),
}
"""Dollars a million: input, cached input, output, cache write of 5 minutes and of an hour."""
KINDS = [
    *("chat", "chat", "chat_stream", "chat_stream", "tool", "cached", "responses"),
    *("responses_stream", "raw", "raw_stream", "embedding", "image", "async_chat"),
    *("claude", "claude_stream", "flex", "flaky", "claude_flaky", "fails", "claude_fails"),
    *("abandoned", "breaks"),
]


@dataclass(frozen=True)
class Compared:
    """How many calls were compared, and what was wrong; empty is right."""

    calls: int
    cost_usd: Decimal
    missing: list[str]
    doubled: list[str]
    wrong: list[str]


class VariedUsage:
    """Usage that differs from answer to answer, in the shape of the operation. Seeded."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)

    def __call__(self, operation: str) -> dict[str, Any]:
        chance = self._chance
        given, made = chance.randint(1, 5_000), chance.randint(1, 900)
        cached = chance.choice([0, 0, given // 2, given])
        thought = chance.choice([0, made // 3])
        if operation == "/messages":
            written, hour = chance.choice([(0, 0), (700, 0), (900, 300)])
            return {
                "input_tokens": given,
                "output_tokens": made,
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": written,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": written - hour,
                    "ephemeral_1h_input_tokens": hour,
                },
            }
        if operation == "/responses":
            return {
                "input_tokens": given,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": made,
                "output_tokens_details": {"reasoning_tokens": thought},
                "total_tokens": given + made,
            }
        if operation == "/embeddings":
            return {"prompt_tokens": given, "total_tokens": given}
        if operation.startswith("/images"):
            return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}
        return {
            "prompt_tokens": given,
            "completion_tokens": made,
            "total_tokens": given + made,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": thought},
        }


class Traffic:
    """Calls through both providers' clients; each has a name that the mock and the event have."""

    def __init__(self, mock: MockProvider, run: str, seed: int) -> None:
        self._chance = Random(seed)
        self._run = run
        self._mock = mock
        self._gpt: Any = infraprism.InfraPrismOpenAI(
            api_key="k", base_url=f"{mock.url}/v1", max_retries=2
        )
        self._claude: Any = infraprism.InfraPrismAnthropic(
            api_key="k", base_url=mock.url, max_retries=2
        )
        self.made: dict[str, str] = {}

    def play(self, calls: int) -> None:
        """Every kind in turn at first, then by chance."""
        for number in range(calls):
            kind = KINDS[number] if number < len(KINDS) else self._chance.choice(KINDS)
            name = f"{self._run}-{number}"
            self.made[name] = kind
            getattr(self, "_claude_" if kind == "claude" else f"_{kind}")(name)
        self._gpt.close()
        self._claude.close()

    def _who(self, name: str, model: str) -> dict[str, Any]:
        return {
            "model": model,
            "entity_type": "customer",
            "entity_id": f"customer-{len(self.made) % 7}",
            "session_id": name,
            "tags": {"run": self._run},
            "extra_headers": {"x-call": name},
        }

    def _ask(self, name: str, model: str = "gpt-4o", **more: Any) -> Any:
        return self._gpt.chat.completions.create(
            messages=MESSAGES, **self._who(name, model), **more
        )

    def _chat(self, name: str) -> None:
        self._ask(name, self._chance.choice(["gpt-4o", "gpt-4o-mini", "gpt-4.1"]))

    def _chat_stream(self, name: str) -> None:
        assert all(chunk.choices for chunk in self._ask(name, stream=True))

    def _tool(self, name: str) -> None:
        answer = self._ask(name, tools=TOOLS, tool_choice="required")
        assert answer.choices[0].message.tool_calls

    def _cached(self, name: str) -> None:
        with infraprism.attribute(tags={"cache": "hit"}):
            self._ask(name)

    def _responses(self, name: str) -> None:
        model = self._chance.choice(["gpt-5", "gpt-5-mini"])
        self._gpt.responses.create(input="x", service_tier="default", **self._who(name, model))

    def _flex(self, name: str) -> None:
        self._gpt.responses.create(input="x", service_tier="flex", **self._who(name, "o4-mini"))

    def _responses_stream(self, name: str) -> None:
        with self._gpt.responses.stream(
            input="x", service_tier="default", **self._who(name, "gpt-5-mini")
        ) as events:
            events.until_done()

    def _raw(self, name: str) -> None:
        self._gpt.chat.completions.with_raw_response.create(
            messages=MESSAGES, **self._who(name, "gpt-4o")
        ).parse()

    def _raw_stream(self, name: str) -> None:
        raw = self._gpt.chat.completions.with_raw_response.create(
            messages=MESSAGES, stream=True, **self._who(name, "gpt-4o")
        )
        assert len(list(raw.parse())) == 4

    def _embedding(self, name: str) -> None:
        self._gpt.embeddings.create(input="x", **self._who(name, "text-embedding-3-small"))

    def _image(self, name: str) -> None:
        self._gpt.images.generate(prompt="x", **self._who(name, "gpt-image-1"))

    def _async_chat(self, name: str) -> None:
        async def ask() -> None:
            async with infraprism.AsyncInfraPrismOpenAI(
                api_key="k", base_url=f"{self._mock.url}/v1"
            ) as client:
                await client.chat.completions.create(
                    messages=MESSAGES, **self._who(name, "gpt-4o-mini")
                )

        run_apart(ask())

    def _claude_call(self, name: str, model: str = "claude-sonnet-4-5") -> dict[str, Any]:
        return {"max_tokens": 9, "messages": MESSAGES, **self._who(name, model)}

    def _claude_(self, name: str) -> None:
        self._claude.messages.create(**self._claude_call(name))

    def _claude_stream(self, name: str) -> None:
        with self._claude.messages.stream(**self._claude_call(name)) as stream:
            stream.until_done()

    def _flaky(self, name: str) -> None:
        self._ask(name, "flaky-gpt")

    def _claude_flaky(self, name: str) -> None:
        self._claude.messages.create(**self._claude_call(name, "flaky-claude"))

    def _fails(self, name: str) -> None:
        with suppress(Exception):
            self._ask(name, self._chance.choice(["fails-400", "fails-401", "fails-429"]))

    def _claude_fails(self, name: str) -> None:
        with suppress(Exception):
            self._claude.messages.create(**self._claude_call(name, "fails-500"))

    def _abandoned(self, name: str) -> None:
        with self._ask(name, stream=True) as stream:
            next(iter(stream))

    def _breaks(self, name: str) -> None:
        with suppress(Exception):
            list(self._ask(name, "breaks", stream=True))


def compare(made: dict[str, str], mock: MockProvider, run: str) -> Compared:
    """Call by call: what the server stored with what the mock answered last."""
    answers: dict[str, Answer] = {answer.call: answer for answer in mock.answers}
    with Client() as api:
        stored = list(api.events.iterate(page_size=1000, tags={"run": run}))
        counted = Counter(str(event.session_id) for event in stored)
        wrong: list[str] = []
        total = Decimal(0)
        for event in stored:
            name = str(event.session_id)
            problem = _difference(event, answers[name], made[name])
            if problem:
                wrong.append(f"{name} ({made[name]}): {problem}")
            total += event.cost_usd
        usage = api.usage(tags={"run": run}, interval="none")
        if (usage.totals.cost_usd, usage.totals.events) != (total, len(stored)):
            wrong.append("the sum of the usage is not the sum of the events")
    return Compared(
        len(made),
        total,
        sorted(set(made) - set(counted)),
        sorted(name for name, times in counted.items() if times > 1),
        wrong,
    )


def exact_cost(event: Any) -> Decimal:
    """From list prices and the tokens the mock answered with, in Decimal."""
    full, read, made, written, hour = (Decimal(price) for price in PRICES[event.model])
    cached = event.cache_read_input_tokens
    five, one = event.cache_write_input_tokens, event.cache_write_1h_input_tokens
    plain = event.input_tokens - cached - five - one
    parts = plain * full + cached * read + event.output_tokens * made + five * written + one * hour
    return parts / 1_000_000


def _difference(event: Any, answer: Answer, kind: str) -> str | None:
    succeeded = answer.status == 200 and kind not in {"abandoned", "breaks"}
    expected: dict[str, Any] = {
        "success": succeeded,
        "model": answer.model,
        "provider": PROVIDERS.get(answer.path, "openai"),
    }
    if succeeded and answer.usage is not None:
        told = normalise(answer.usage)
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
            expected[name] = told.get(name, 0)
        for name in ("cache_write_input_tokens", "reasoning_output_tokens"):
            expected[name] = told.get(name, 0)
        if event.model in PRICES:
            expected["cost_usd"] = exact_cost(event)
    got = {name: getattr(event, name) for name in expected}
    age = abs((datetime.now(UTC) - event.timestamp).total_seconds())
    if got != expected:
        return f"{got} stored, {expected} answered"
    return None if age < 24 * 3600 else "its time is wrong"
