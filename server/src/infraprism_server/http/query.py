"""Query strings as Structs: one declaration validates, names what is wrong and documents.

A route's query is a msgspec Struct with `forbid_unknown_fields`. A field of type `dict[str, str]`
is written `name[KEY]=VALUE`, a field of type `list` may be repeated, every other only once.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote_to_bytes

import msgspec

from infraprism_server.errors import InvalidRequest
from infraprism_server.http.wire import invalid_request_from

Q = TypeVar("Q", bound=msgspec.Struct)

MAX_QUERY_BYTES = 16_384
MAX_QUERY_FIELDS = 200

_KEYED = re.compile(r"(?P<name>[a-z_]+)\[(?P<key>.*)\]", re.DOTALL)


def parse_query(query_string: bytes, kind: type[Q]) -> Q:
    """The query as `kind`. InvalidRequest naming the one that is wrong or unknown."""
    if len(query_string) > MAX_QUERY_BYTES:
        raise InvalidRequest(f"The query string is longer than {MAX_QUERY_BYTES} bytes")
    values: dict[str, Any] = {}
    shapes = _shapes(kind)
    for name, value in _pairs(query_string):
        shape = shapes.get(name)
        keyed = _KEYED.fullmatch(name) if shape is None else None
        if keyed is not None and shapes.get(keyed["name"]) is dict:
            _put_once(values.setdefault(keyed["name"], {}), keyed["key"], value, name)
        elif shape is list:
            values.setdefault(name, []).append(value)
        elif shape is str:
            _put_once(values, name, value, name)
        else:
            raise _unknown(name, shapes)
    for name, value in values.items():
        if value == "null" and not _takes_text(kind, name):
            # Read laxly it would be "not given": a filter would be lost in silence.
            raise InvalidRequest(f"'{name}' can not be null; leave it out instead", name)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _named(error) from None


def _named(error: msgspec.ValidationError) -> InvalidRequest:
    wrong = invalid_request_from(error)
    if wrong.message.endswith("field is required") and wrong.param is not None:
        return InvalidRequest(f"The '{wrong.param}' parameter is required", wrong.param)
    return wrong


def _unknown(name: str, shapes: dict[str, type]) -> InvalidRequest:
    known = ", ".join(f"{n}[KEY]" if shape is dict else n for n, shape in shapes.items())
    message = f"Unknown parameter '{name[:100]}'; this route takes {known or 'none'}"
    return InvalidRequest(message, name[:100])


def _put_once(values: dict[str, Any], key: str, value: str, name: str) -> None:
    if key in values:
        raise InvalidRequest(f"The '{name}' parameter is given more than once", name)
    values[key] = value


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    pairs = []
    parts = [part for part in query_string.split(b"&") if part]
    if len(parts) > MAX_QUERY_FIELDS:
        raise InvalidRequest(f"More than {MAX_QUERY_FIELDS} query parameters")
    for part in parts:
        name, _, value = part.partition(b"=")
        written = name.decode("latin-1")
        pairs.append((_text(name, written), _text(value, written)))
    return pairs


def _text(raw: bytes, name: str) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"'{name[:100]}' is not valid UTF-8", name[:100]) from None
    if "\x00" in text:
        raise InvalidRequest(f"'{name[:100]}' holds a NUL character", name[:100])
    return text


@cache
def _shapes(kind: type[msgspec.Struct]) -> dict[str, type]:
    """For each parameter of a query Struct whether it is single (str), repeated or keyed."""
    hints = get_type_hints(kind)
    return {
        name: origin if (origin := get_origin(hints[name])) in (list, dict) else str
        for name in kind.__struct_fields__
    }


@cache
def _takes_text(kind: type[msgspec.Struct], name: str) -> bool:
    hint = get_type_hints(kind)[name]
    return str in (hint, *get_args(hint))
