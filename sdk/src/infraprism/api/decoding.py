"""JSON into the typed results: by their annotations, exact, tolerant of what is new."""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_SCALARS: dict[Any, Callable[[Any], Any]] = {
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}
_known: dict[type[Any], dict[str, Callable[[Any], Any]]] = {}


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """Numbers with a point become Decimal: 0.1 stays 0.1."""
    return json.loads(text, parse_float=Decimal)


def decode(kind: type[T], data: dict[str, Any]) -> T:
    """A dataclass from a JSON object; fields it does not know are left out."""
    converters = _converters(kind)
    return kind(**{name: converters[name](data[name]) for name in converters if name in data})


def _converters(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    """Made once per dataclass; there are a dozen of them."""
    if kind not in _known:
        hints = get_type_hints(kind)
        _known[kind] = {
            field.name: _converter(hints[field.name]) for field in dataclasses.fields(kind)
        }
    return _known[kind]


def _converter(hint: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type or a typing construct
    if get_origin(hint) in (Union, types.UnionType):
        inner = [_converter(part) for part in get_args(hint) if part is not type(None)]
        return lambda value: None if value is None else inner[0](value)
    if get_origin(hint) is list:
        item = _converter(get_args(hint)[0])
        return lambda value: [item(one) for one in value]
    if get_origin(hint) is dict:
        item = _converter(get_args(hint)[1])
        return lambda value: {key: item(one) for key, one in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return functools.partial(decode, hint)
    return _SCALARS.get(hint, lambda value: value)
