"""Whether a client of one OpenAPI document can use another. Pure; knows what our documents use.

Requests may only widen and responses may only grow: what a client sends must still be taken, and
what it reads must still be there, of the same type. A new value in an enum of a response is an
addition: clients are told to expect those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")
LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def breaking_changes(old: Json, new: Json) -> list[str]:
    """What in `new` breaks a client of `old`, each as one line that says where."""
    return list(_Comparison(old, new).all())


class _Comparison:
    """Two documents, and the places that differ."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def all(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            if path not in self._new["paths"]:
                yield f"{path}: removed"
                continue
            for method in sorted(_METHODS & item.keys()):
                place = f"{method.upper()} {path}"
                if method not in self._new["paths"][path]:
                    yield f"{place}: removed"
                else:
                    yield from self._operation(
                        item[method], self._new["paths"][path][method], place
                    )

    def _operation(self, old: Json, new: Json, place: str) -> Iterator[str]:
        for scope in sorted(set(old.get("x-scopes", ())) - set(new.get("x-scopes", ()))):
            yield f"{place}: the scope {scope} does not reach it any more"
        yield from self._parameters(old, new, place)
        yield from self._body(old.get("requestBody"), new.get("requestBody"), place)
        for status, response in old["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in new["responses"]:
                yield f"{place}: does not answer {status} any more"
                continue
            told = new["responses"][status]
            for header in sorted(response.get("headers", {}).keys() - told.get("headers", {})):
                yield f"{place}: header {header} removed from {status}"
            for media, content in response.get("content", {}).items():
                if media not in told.get("content", {}):
                    yield f"{place}: {status} is not {media} any more"
                else:
                    schema = told["content"][media]["schema"]
                    yield from self._response(content["schema"], schema, f"{place} {status}")

    def _parameters(self, old: Json, new: Json, place: str) -> Iterator[str]:
        before = {(each["in"], each["name"]): each for each in old.get("parameters", ())}
        after = {(each["in"], each["name"]): each for each in new.get("parameters", ())}
        for key, parameter in before.items():
            inner = f"{place} {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{inner}: removed"
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{inner}: is required now"
            if after[key].get("style") != parameter.get("style"):
                yield f"{inner}: is written in another style"
            yield from self._request(parameter["schema"], after[key]["schema"], inner)
        for key in sorted(after.keys() - before.keys()):
            if after[key].get("required"):
                yield f"{place} {key[0]} parameter {key[1]}: new and required"

    def _body(self, old: Json | None, new: Json | None, place: str) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield f"{place}: a body is required now"
            return
        if new is None:
            yield f"{place}: takes no body any more"
            return
        if new.get("required") and not old.get("required"):
            yield f"{place}: a body is required now"
        for media, content in old["content"].items():
            if media not in new["content"]:
                yield f"{place}: {media} is not read any more"
            else:
                schema = new["content"][media]["schema"]
                yield from self._request(content["schema"], schema, f"{place} body")

    def _request(self, old: Json, new: Json, place: str) -> Iterator[str]:
        before, after = kinds(self._old, old), kinds(self._new, new)
        for kind, schema in before.items():
            told = after.get(kind, after.get("number") if kind == "integer" else None)
            if told is None:
                yield f"{place}: {kind} is not taken any more"
                continue
            yield from _narrowed(schema, told, place)
            fields, others = schema.get("properties", {}), told.get("properties", {})
            for name in sorted(fields.keys() - others.keys()):
                yield f"{place}.{name}: removed"
            for name in sorted(set(told.get("required", ())) - set(schema.get("required", ()))):
                yield f"{place}.{name}: is required now"
            for name in sorted(fields.keys() & others.keys()):
                yield from self._request(fields[name], others[name], f"{place}.{name}")
            for inner in ("items", "additionalProperties", "propertyNames"):
                if isinstance(schema.get(inner), dict) and isinstance(told.get(inner), dict):
                    yield from self._request(schema[inner], told[inner], f"{place}[{inner}]")

    def _response(self, old: Json, new: Json, place: str) -> Iterator[str]:
        before, after = kinds(self._old, old), kinds(self._new, new)
        for kind in sorted(after.keys() - before.keys()):
            if not (kind == "integer" and "number" in before):
                yield f"{place}: can be {kind} now"
        for kind, schema in before.items():
            told = after.get(kind)
            if told is None:
                if not after:
                    yield f"{place}: has no type any more"
                continue
            if schema.get("format") != told.get("format"):
                yield f"{place}: format {told.get('format')} instead of {schema.get('format')}"
            fields, others = schema.get("properties", {}), told.get("properties", {})
            for name in sorted(fields.keys() - others.keys()):
                yield f"{place}.{name}: removed"
            for name in sorted(set(schema.get("required", ())) - set(told.get("required", ()))):
                if name in others:
                    yield f"{place}.{name}: may be absent now"
            for name in sorted(fields.keys() & others.keys()):
                yield from self._response(fields[name], others[name], f"{place}.{name}")
            for inner in ("items", "additionalProperties"):
                if isinstance(schema.get(inner), dict) and isinstance(told.get(inner), dict):
                    yield from self._response(schema[inner], told[inner], f"{place}[{inner}]")


def kinds(document: Json, schema: Json) -> dict[str, Json]:
    """A schema by the JSON types it allows, references and alternatives resolved."""
    schema = _resolved(document, schema)
    types = schema.get("type")
    if types is not None:
        return dict.fromkeys([types] if isinstance(types, str) else types, schema)
    if "enum" in schema:
        return {"string": schema}
    found: dict[str, Json] = {}
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= kinds(document, each)
    return found


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        schema = document["components"]["schemas"][name]
    return schema


def _narrowed(old: Json, new: Json, place: str) -> Iterator[str]:
    if "enum" in new:
        gone = sorted(map(str, set(old.get("enum", ())) - set(new["enum"])))
        if gone or "enum" not in old:
            yield f"{place}: values not taken any more: {', '.join(gone) or 'all but a few'}"
    for name in UPPER_BOUNDS:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{place}: {name} is {new[name]} instead of {old.get(name, 'none')}"
    for name in LOWER_BOUNDS:
        if name in new and new[name] > old.get(name, 0 if name != "minimum" else float("-inf")):
            yield f"{place}: {name} is {new[name]} instead of {old.get(name, 'none')}"
    for name in ("pattern", "format"):
        if name in new and new[name] != old.get(name):
            yield f"{place}: {name} is {new[name]} instead of {old.get(name, 'none')}"
