"""The contract's text, taken apart: its JSON examples with the route each belongs to. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

TEXT = Path(__file__).with_name("rest-api.txt")
BY_NATURE = frozenset(
    {"id", "email", "created_at", "last_used_at", "prefix", "key", "download_url", "expires_at"}
)
"""Fields whose values can not be the example's: compared by type and shape."""
_ROUTE = re.compile(r"^(GET|POST|PATCH|DELETE) (/v1/\S+)$")
_ID = re.compile(r"[a-z]+_[0-9a-zA-Z]+")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?Z")


@dataclass(frozen=True, slots=True)
class Example:
    """One JSON block. `partial` when the text itself leaves something out with three dots."""

    route: str
    kind: str
    value: Any
    partial: bool


def examples(text: str) -> list[Example]:
    """Every JSON block of the text, in its order."""
    found: list[Example] = []
    route = kind = ""
    block: list[str] = []
    for line in text.splitlines():
        if named := _ROUTE.match(line):
            route = f"{named[1]} {named[2]}"
        elif line.startswith("curl "):
            route = "curl"
        elif line.endswith(":") and not block:
            kind = line[:-1]
        if line == "{" or block:
            block.append(line)
        if line == "}" and block:
            found.append(_example(route, kind, "\n".join(block)))
            block = []
    return found


def _example(route: str, kind: str, text: str) -> Example:
    whole = re.sub(r",\s*\.\.\.\s*}", "}", text).replace("[...]", "[]")
    return Example(route, kind, json.loads(whole, parse_float=Decimal), whole != text)


def error_codes(text: str) -> dict[str, int]:
    """The table of codes: name to status."""
    table = text.partition("CodeHTTP StatusDescription\n")[2].partition("\n\n")[0]
    rows = (re.match(r"([a-z_]+)(\d{3})", line) for line in table.splitlines())
    return {row[1]: int(row[2]) for row in rows if row is not None}


def rate_limit_headers(text: str) -> list[str]:
    """Names of the headers that are in all responses."""
    return re.findall(r"^(X-RateLimit-[A-Za-z]+): \d+$", text, re.MULTILINE)


def differences(expected: Any, actual: Any, path: str = "$") -> list[str]:
    """Where an answer is not the example. Fields beyond the example are allowed."""
    match expected:
        case dict() if isinstance(actual, dict):
            found = [f"{path}.{name}: missing" for name in expected.keys() - actual.keys()]
            for name in expected.keys() & actual.keys():
                inner = f"{path}.{name}"
                if name in BY_NATURE:
                    found += _other_shape(expected[name], actual[name], inner)
                else:
                    found += differences(expected[name], actual[name], inner)
            return found
        case list() if isinstance(actual, list):
            if len(actual) < len(expected):
                return [f"{path}: {len(actual)} entries instead of {len(expected)}"]
            pairs = enumerate(zip(expected, actual, strict=False))
            return [each for n, (e, a) in pairs for each in differences(e, a, f"{path}[{n}]")]
    if not _same_type(expected, actual) or expected != actual:
        return [f"{path}: {actual!r} instead of {expected!r}"]
    return []


def _other_shape(expected: Any, actual: Any, path: str) -> list[str]:
    """A value that differs by nature: same type, same prefix of an id, same form of a time."""
    if not _same_type(expected, actual):
        return [f"{path}: {actual!r} is of another type than {expected!r}"]
    same = True
    if _TIME.fullmatch(expected):
        same = _TIME.fullmatch(actual) is not None
    elif _ID.fullmatch(expected):
        same = _ID.fullmatch(actual) is not None
        same = same and actual.split("_")[0] == expected.split("_")[0]
    elif expected.startswith("ip-"):
        same = actual.startswith("ip-")
    return [] if same else [f"{path}: {actual!r} has another form than {expected!r}"]


def _same_type(expected: object, actual: object) -> bool:
    def kind(value: object) -> type:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
            return type(value)
        return Decimal

    return kind(expected) is kind(actual)
