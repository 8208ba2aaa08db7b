"""The API as a page to read, made from the OpenAPI document; it loads nothing from elsewhere."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

Json = dict[str, Any]

_PAGES = files("infraprism_server.http").joinpath("pages")
PAGE_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)


def api_css() -> str:
    """The page's stylesheet."""
    return _PAGES.joinpath("api.css").read_text(encoding="utf-8")


def render_api_page(document: Json) -> str:
    """HTML of the whole API."""
    groups: dict[str, list[Json]] = {}
    components = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            told = _operation(path, method, operation, components)
            groups.setdefault(operation["tags"][0], []).append(told)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_PAGES.joinpath("api.html").read_text(encoding="utf-8"))
    return template.render(
        document=document,
        server_url=document["servers"][0]["url"],
        groups=list(groups.items()),
        error_example=_pretty(
            {"error": {"code": "invalid_request", "message": "…", "param": "start_date"}}
        ),
    )


def _operation(path: str, method: str, operation: Json, components: Json) -> Json:
    bodies = []
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        bodies.append(_body("Request body", content, components, told_required=True))
    success = next(status for status in operation["responses"] if status.startswith("2"))
    content = operation["responses"][success]["content"]["application/json"]
    bodies.append(_body(f"Answer ({success})", content, components, told_required=False))
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "scopes": operation["x-scopes"],
        "parameters": [
            {
                "name": parameter["name"],
                "place": parameter["in"],
                "required": parameter["required"],
                "type": _type_of(parameter["schema"], components),
                "meaning": parameter.get("description") or _meaning_of(parameter["schema"]),
            }
            for parameter in operation["parameters"]
        ],
        "bodies": bodies,
    }


def _body(title: str, content: Json, components: Json, *, told_required: bool) -> Json:
    fields: list[Json] = []
    _collect(content["schema"], "", components, fields)
    if not told_required:  # every field of an answer is there: saying so is noise
        fields = [{**field, "required": False} for field in fields]
    example = content.get("example")
    return {"title": title, "fields": fields, "example": _pretty(example) if example else ""}


def _collect(schema: Json, prefix: str, components: Json, fields: list[Json]) -> None:
    """The fields of an object, and of the objects in it, one line each."""
    schema = _resolved(schema, components)
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        fields.append(
            {
                "name": prefix + name,
                "type": _type_of(field, components),
                "required": name in required and prefix == "",
                "meaning": _meaning_of(field),
            }
        )
        inner = _resolved(field.get("items", field), components)
        if prefix.count(".") < 2 and "properties" in inner:
            mark = "[]." if field.get("type") == "array" else "."
            _collect(inner, f"{prefix}{name}{mark}", components, fields)


def _meaning_of(schema: Json) -> str:
    """A schema's description, or that of the first alternative that has one."""
    told = [schema, *schema.get("anyOf", ())]
    return next((str(each["description"]) for each in told if "description" in each), "")


def _resolved(schema: Json, components: Json) -> Json:
    if "$ref" in schema:
        resolved: Json = components[schema["$ref"].rsplit("/", 1)[1]]
        return resolved
    for alternative in schema.get("anyOf", ()):
        if "$ref" in alternative:
            return _resolved(alternative, components)
    return schema


def _type_of(schema: Json, components: Json) -> str:
    if "$ref" in schema:
        return "object"
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema and "type" not in schema:
        names = dict.fromkeys(_type_of(each, components) for each in schema["anyOf"])
        return " | ".join(name for name in names if name)
    kind = schema.get("type", "")
    if isinstance(kind, list):
        return " | ".join(kind)
    if kind == "array":
        return f"list of {_type_of(schema.get('items', {}), components)}"
    return str(kind)


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
