"""Column values of a file as values of event fields. What a cell means is decided here, once.

Each function takes one cell and gives the value, or None for an empty cell, or raises CellError
with the reason as a sentence that can stand after the field's name. Cells are text from CSV, and
what the decoder made of them from JSON lines and Parquet (fractions are Decimal or float there).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation, localcontext
from typing import Final

import msgspec

_LARGEST = 2**63 - 1
_COST_STEP = Decimal("1e-12")
_SHOWN_CHARACTERS = 40
_SURE_DIGITS = 18


class CellError(ValueError):
    """Why a cell is not a value of its field: the rest of a sentence."""


_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})


def shown(value: object) -> str:
    """A cell as it appears in a message: quoted and cut."""
    text = value if isinstance(value, str) else str(value)
    return (
        repr(text) if len(text) <= _SHOWN_CHARACTERS else repr(text[: _SHOWN_CHARACTERS - 1] + "…")
    )


def text(value: object) -> str | None:
    """Any scalar as text; an empty cell is absent."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise CellError(f"{shown(value)} is not a text")


def integer(value: object) -> int | None:
    """A whole number; `12.0`, as tables with gaps write it, is 12."""
    number = _number(value)
    if number is None or isinstance(number, int):
        return number
    if number != number.to_integral_value():
        raise CellError(f"{shown(value)} is not a whole number")
    return int(number)


def rounded(value: object) -> int | None:
    """A number to the nearest whole one: milliseconds that were measured in fractions."""
    number = _number(value)
    if number is None or isinstance(number, int):
        return number
    return int(number.to_integral_value())


def money(value: object) -> Decimal | None:
    """Dollars, to the twelve decimals that the API keeps, rounded half to even."""
    number = _number(value)
    if number is None:
        return None
    with localcontext(prec=60):
        cost = Decimal(number).quantize(_COST_STEP).normalize()
        return cost if cost else Decimal(0)


def boolean(value: object) -> bool | None:
    """True or false, also as yes/no, t/f, 1/0."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise CellError(f"{shown(value)} is neither true nor false")


def tags(value: object) -> dict[str, str] | None:
    """An object of tags, as such or as JSON text; scalars become text, nulls are left out."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise CellError(f"{shown(value)} is not a JSON object") from None
    if isinstance(value, list):  # Parquet maps are read as lists of pairs
        try:
            value = dict(value)
        except (TypeError, ValueError):
            raise CellError(f"{shown(value)} is not an object") from None
    if not isinstance(value, Mapping):
        raise CellError(f"{shown(value)} is not an object")
    named = {str(key): text(item) for key, item in value.items()}
    return {key: item for key, item in named.items() if item is not None} or None


Convert = Callable[[object], object]

EVENT_FIELDS: Final[dict[str, Convert]] = {
    "id": text,
    "timestamp": text,  # read by instants.py
    "provider": text,
    "model": text,
    "input_tokens": integer,
    "output_tokens": integer,
    "latency_ms": rounded,
    "entity_type": text,
    "entity_id": text,
    "session_id": text,
    "tags": tags,
    "success": boolean,
    "error_type": text,
    "error_code": text,
    "cache_read_input_tokens": integer,
    "cache_write_input_tokens": integer,
    "cache_write_1h_input_tokens": integer,
    "reasoning_output_tokens": integer,
    "input_audio_tokens": integer,
    "output_audio_tokens": integer,
    "web_search_requests": integer,
    "service_tier": text,
    "cost_usd": money,
}
"""Every field of an event that POST /v1/events takes, and how a cell becomes its value."""


def convert_column(field: str, cells: list[object]) -> tuple[list[object], dict[int, str]]:
    """A column's values, and the reasons of those cells that have none, by row.

    Text is converted once for each distinct cell, and digits all at once: the usual columns.
    """
    convert = EVENT_FIELDS[field]
    if set(map(type, cells)) <= {str, type(None)}:
        texts: list[str | None] = cells  # type: ignore[assignment]
        if convert in {integer, rounded} and _plain_digits(texts):
            return [int(cell) if cell else None for cell in texts], {}
        if convert is text:
            return [cell or None for cell in texts], {}
        with contextlib.suppress(CellError):
            known = {cell: convert(cell) for cell in set(texts)}
            return [known[cell] for cell in texts], {}
    values: list[object] = []
    faults: dict[int, str] = {}
    for row, cell in enumerate(cells):
        try:
            values.append(convert(cell))
        except CellError as error:
            values.append(None)
            faults[row] = str(error)
    return values, faults


def _plain_digits(cells: list[str | None]) -> bool:
    """Whether every cell is empty or digits that surely fit into 64 bits."""
    filled = list(filter(None, cells))
    return "".join(filled).isdecimal() and max(map(len, filled)) <= _SURE_DIGITS


def _number(value: object) -> int | Decimal | None:
    """The number in a cell, finite and within 64 bits."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise CellError(f"{shown(value)} is not a number")
    if isinstance(value, int):
        number: int | Decimal = value
    else:
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise CellError(f"{shown(value)} is not a number") from None
        if not number.is_finite():
            raise CellError(f"{shown(value)} is not a number")
    if not -_LARGEST <= number <= _LARGEST:
        raise CellError(f"{shown(value)} is too large")
    return number
