"""The table of docs/sdk-privacy.md: every field that leaves a process, from the API's own schema.

python -m sdk.generate_privacy_page     # renews the table; a test compares
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from infraprism.event import FIELDS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "sdk-privacy.md"
SCHEMA = ROOT / "contract_tests" / "contract" / "openapi_snapshot.json"
START, END = "<!-- fields: generated -->\n", "<!-- end of fields -->\n"

SOURCE = {
    "id": "made at the call: the time and random bits; of a batch's result, a hash of its name",
    "timestamp": "the clock, when the call began",
    "provider": "the client's class and address",
    "model": "the answer, or the request where none came",
    "service_tier": "the answer",
    "cost_usd": "the answer, where the provider tells what it cost",
    "latency_ms": "the clock",
    "time_to_first_token_ms": "the clock, in streams",
    "entity_type": "you",
    "entity_id": "you",
    "session_id": "you",
    "tags": "you",
    "success": "whether the call ended well",
    "error_type": "the name of the exception's class",
    "error_code": "the provider's code of the error, if it looks like one; never its text",
}
"""Where a value comes from. All others are counts of the answer's `usage`."""

NOT_STORED = {"time_to_first_token_ms": "whole number"}
"""Sent for servers that know it; others name it as unknown, and it is left out from then on."""


def kind_of(schema: dict[str, Any]) -> str:
    """What a value can be, in words, from its JSON schema."""
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return kind_of(choice)
    if "enum" in schema:
        return ", ".join(sorted(str(one) for one in schema["enum"] if one is not None))
    kinds = schema.get("type")
    kind = next(one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null")
    if kind == "object":
        inner = schema["additionalProperties"].get("maxLength")
        return f"up to {schema['maxProperties']} short texts of up to {inner} characters"
    if kind == "string":
        limit = schema.get("maxLength")
        return f"one line of up to {limit} characters" if limit else schema.get("format", "a word")
    return {"integer": "whole number", "number": "number", "boolean": "true or false"}[kind]


def table() -> str:
    known = json.loads(SCHEMA.read_text())["components"]["schemas"]["EventIn"]["properties"]
    lines = ["| field | what it can be | where it comes from |", "|---|---|---|"]
    for name in FIELDS:
        kind = kind_of(known[name]) if name in known else NOT_STORED[name]
        lines.append(f"| `{name}` | {kind} | {SOURCE.get(name, 'counted by the provider')} |")
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return before + START + table() + END + after


def main() -> int:
    PAGE.write_text(renewed(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
