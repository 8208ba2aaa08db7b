"""The OpenAPI 3.1 document, made from the same Operations and Structs that serve the routes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import msgspec

from infraprism_server.http.error_body import ErrorBody
from infraprism_server.http.operation import Operation
from infraprism_server.http.wire import schema_of_own_types

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_COMMON_ERRORS = (400, 401, 403, 429, 500, 503)
_ERROR_WORDS = {
    400: "The request is wrong; `param` names the field (`invalid_request`).",
    401: "Invalid or missing API key (`unauthorized`).",
    403: "The key's scopes do not cover this route (`forbidden`).",
    404: "No such object in this account (`not_found`).",
    409: "Contradicts what is stored (`conflict`).",
    413: "The body is too large (`payload_too_large`).",
    415: "A content type or encoding that is not read (`unsupported_media_type`).",
    429: "Rate limit exceeded; wait `Retry-After` seconds (`rate_limited`).",
    500: "Something went wrong on our side; the message has a request id (`internal_error`).",
    503: "Not now; try again after `Retry-After` seconds (`unavailable`).",
}
_RATE_HEADERS: Json = {
    "X-RateLimit-Limit": {
        "description": "Requests a minute.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in this clock minute.",
        "schema": {"type": "integer"},
    },
    "X-RateLimit-Reset": {
        "description": "Unix seconds at which the next minute starts.",
        "schema": {"type": "integer"},
    },
    "X-Request-Id": {
        "description": "Id of this request, also in the server's log.",
        "schema": {"type": "string"},
    },
}
_RETRY_AFTER: Json = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A retry with the same key and body does its work once; kept 24 hours.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]+$",
    },
}


def build_openapi(
    operations: Sequence[Operation], version: str, examples: dict[str, Any], server_url: str
) -> Json:
    """The document for these operations; `examples` are the contract's own, by name."""
    kinds: list[Any] = [ErrorBody]
    for operation in operations:
        kinds += [operation.answer, operation.query, *operation.path_params.values()]
        kinds += [] if operation.body is None else [operation.body]
    schemas, components = msgspec.json.schema_components(
        kinds, schema_hook=schema_of_own_types, ref_template=_REF
    )
    schema_of = dict(zip(map(repr, kinds), schemas, strict=True))
    _tell_decimals_as_numbers([schemas, components])
    paths: dict[str, Json] = {}
    for operation in operations:
        path = re.sub(r":str\}", "}", operation.path)
        described = _operation(operation, schema_of, components, examples)
        paths.setdefault(path, {})[operation.method.lower()] = described
    for operation in operations:  # a query is told as parameters, not as an object
        components.pop(operation.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "InfraPrism REST API",
            "version": version,
            "description": "What each customer, team, project and employee costs in LLM spend.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "`ip-…`"}
            },
        },
    }


def _tell_decimals_as_numbers(node: object) -> None:
    """msgspec describes a Decimal as a string; on our wire it is a number (see wire.encode)."""
    if isinstance(node, dict):
        if node.get("type") == "string" and node.get("format") == "decimal":
            del node["format"]
            node["type"] = "number"
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            _tell_decimals_as_numbers(each)


def _operation(
    operation: Operation, schema_of: dict[str, Json], components: dict[str, Json], examples: Json
) -> Json:
    described: Json = {
        "operationId": _operation_id(operation),
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-scopes": sorted(operation.scopes()),
        "parameters": [
            *_path_parameters(operation, schema_of),
            *_query_parameters(components[operation.query.__name__]),
            *([_IDEMPOTENCY_KEY] if operation.idempotent else []),
        ],
        "responses": _responses(operation, schema_of, examples),
    }
    if operation.body is not None:
        content: Json = {"schema": schema_of[repr(operation.body)]}
        if f"{operation.example}_request" in examples:
            content["example"] = examples[f"{operation.example}_request"]
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
        if operation.encodings:
            described["requestBody"]["description"] = (
                f"Content-Encoding {' or '.join(operation.encodings)} is read too."
            )
    return described


def _operation_id(operation: Operation) -> str:
    words = re.findall(r"[a-z]+", operation.path.replace("/v1/", "").replace(":str", ""))
    return "_".join([operation.method.lower(), *words])


def _path_parameters(operation: Operation, schema_of: dict[str, Json]) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": schema_of[repr(kind)]}
        for name, kind in operation.path_params.items()
    ]


def _query_parameters(query: Json) -> list[Json]:
    required = set(query.get("required", ()))
    parameters = []
    for name, schema in query["properties"].items():
        told = _without_null(schema)
        parameter: Json = {"name": name, "in": "query", "required": name in required}
        if "description" in told:
            parameter["description"] = told.pop("description")
        if told.get("type") == "object":
            parameter |= {"style": "deepObject", "explode": True}
        elif told.get("type") == "array":
            parameter |= {"style": "form", "explode": True}
        parameters.append({**parameter, "schema": told})
    return parameters


def _without_null(schema: Json) -> Json:
    """A query parameter is left out, never null."""
    told = {key: value for key, value in schema.items() if key != "default" or value is not None}
    alternatives = [each for each in told.get("anyOf", ()) if each != {"type": "null"}]
    if "type" not in told and len(alternatives) == 1:
        del told["anyOf"]
        told |= alternatives[0]
    return told


def _responses(operation: Operation, schema_of: dict[str, Json], examples: Json) -> Json:
    content: Json = {"schema": schema_of[repr(operation.answer)]}
    if operation.example in examples:
        content["example"] = examples[operation.example]
    responses: Json = {
        str(operation.status): {
            "description": operation.summary,
            "headers": _RATE_HEADERS,
            "content": {"application/json": content},
        }
    }
    error = {"application/json": {"schema": schema_of[repr(ErrorBody)]}}
    for status in sorted({*_COMMON_ERRORS, *operation.errors}):
        headers = _RATE_HEADERS | (_RETRY_AFTER if status in (429, 503) else {})
        responses[str(status)] = {
            "description": _ERROR_WORDS[status],
            "headers": headers,
            "content": error,
        }
    return responses


def contract_examples() -> dict[str, object]:
    """The contract's own examples, by route."""
    path = files("infraprism_server.http").joinpath("contract_examples.json")
    examples: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return examples
