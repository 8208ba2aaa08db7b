"""A change of the OpenAPI document that breaks a client fails here, with the place it breaks at."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from contract_tests.contract.openapi_compat import breaking_changes
from contract_tests.contract.snapshot import RENEW, committed, served
from contract_tests.harness.server_process import ServerProcess

Json = dict[str, Any]


def test_no_client_of_the_committed_document_is_broken(server: ServerProcess) -> None:
    """An OpenAPI change that breaks a client fails a test: this one."""
    assert breaking_changes(committed(), served(server.client())) == []


def test_the_committed_document_is_the_one_served(server: ServerProcess) -> None:
    """Additions are fine, and are committed, so that they are kept from now on."""
    if committed() != served(server.client()):
        pytest.fail(f"The OpenAPI document has changed; renew the snapshot: {RENEW}")


def test_every_route_has_our_error_body_and_the_rate_limit_headers(server: ServerProcess) -> None:
    """OpenAPI 3.1, errors of one shape on every route, examples from the contract."""
    document = server.client().ok("/v1/openapi.json")
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                assert "X-RateLimit-Limit" in response["headers"], (method, path, status)
                if int(status) >= 400:
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}
    listed = document["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    assert listed["application/json"]["example"]["data"][0]["id"] == "evt_123"


DOCUMENT: Json = {
    "paths": {
        "/things": {
            "get": {
                "x-scopes": ["full", "read"],
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "required": False,
                        "schema": {"type": "integer", "minimum": 1, "maximum": 1000},
                    }
                ],
                "responses": {
                    "200": {
                        "headers": {"X-A": {}},
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    }
                },
            },
            "post": {
                "parameters": [],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}
                    },
                },
                "responses": {"201": {"content": {}}},
            },
        }
    },
    "components": {
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "cost"],
                "properties": {
                    "id": {"type": "string"},
                    "cost": {"type": "number"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "NewThing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 200},
                    "tier": {"enum": ["standard", "batch"]},
                    "sizes": {"type": "array", "items": {"type": "integer"}, "maxItems": 5},
                },
            },
        }
    },
}


def _change(path: str, value: object) -> Callable[[Json], None]:
    """Set, or with None remove, what is at the path."""

    def change(document: Json) -> None:
        *steps, last = path.split("|")
        node: Any = document
        for step in steps:
            node = node[int(step)] if isinstance(node, list) else node[step]
        if value is None:
            del node[last]
        else:
            node[last] = value

    return change


_GET = "paths|/things|get"
_OUT = "components|schemas|Thing"
_IN = "components|schemas|NewThing"
_LIMIT = f"{_GET}|parameters|0"

BREAKING = [
    ("paths|/things", None),
    (_GET, None),
    (f"{_GET}|x-scopes", ["full"]),
    (f"{_GET}|parameters", []),
    (f"{_LIMIT}|required", True),
    (f"{_LIMIT}|schema|maximum", 100),
    (f"{_LIMIT}|schema|minimum", 2),
    (f"{_LIMIT}|schema|type", "string"),
    (f"{_GET}|responses|200", None),
    (f"{_GET}|responses|200|headers|X-A", None),
    (f"{_OUT}|properties|cost", None),
    (f"{_OUT}|properties|cost|type", "string"),
    (f"{_OUT}|properties|id", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    (f"{_OUT}|properties|id|format", "uuid"),
    (f"{_OUT}|properties|tags|additionalProperties|type", "integer"),
    (f"{_OUT}|required", ["id"]),
    (f"{_IN}|required", ["name", "tier"]),
    (f"{_IN}|properties|tier", None),
    (f"{_IN}|properties|tier|enum", ["standard"]),
    (f"{_IN}|properties|name|maxLength", 100),
    (f"{_IN}|properties|name|minLength", 5),
    (f"{_IN}|properties|name|pattern", "^a"),
    (f"{_IN}|properties|name|type", "integer"),
    (f"{_IN}|properties|sizes|items|type", "string"),
    (f"{_IN}|properties|sizes|maxItems", 4),
    ("paths|/things|post|requestBody", None),
]
ADDITIVE = [
    ("paths|/others", {}),
    ("paths|/things|delete", {"responses": {"200": {}}}),
    (f"{_GET}|x-scopes", ["full", "read", "ingest"]),
    (f"{_LIMIT}|schema|maximum", 5000),
    (f"{_LIMIT}|schema|minimum", 0),
    (f"{_LIMIT}|schema|type", "number"),
    (f"{_GET}|responses|404", {}),
    (f"{_OUT}|properties|new", {"type": "string"}),
    (f"{_OUT}|properties|note", {"type": "string"}),
    (f"{_OUT}|required", ["id", "cost", "note"]),
    (f"{_IN}|required", []),
    (f"{_IN}|properties|new", {"type": "string"}),
    (f"{_IN}|properties|tier|enum", ["standard", "batch", "flex"]),
    (f"{_IN}|properties|name|maxLength", 300),
    (f"{_IN}|properties|name", {"type": ["string", "null"], "maxLength": 200}),
]


@pytest.mark.parametrize(("path", "value"), BREAKING, ids=str)
def test_what_breaks_a_client_is_found(path: str, value: object) -> None:
    """Removals, other types, new requirements, narrower enums and limits."""
    changed = deepcopy(DOCUMENT)
    _change(path, value)(changed)
    assert breaking_changes(DOCUMENT, changed) != []


@pytest.mark.parametrize(("path", "value"), ADDITIVE, ids=str)
def test_what_only_adds_breaks_nobody(path: str, value: object) -> None:
    """New routes, fields, scopes and statuses; wider enums and limits."""
    changed = deepcopy(DOCUMENT)
    _change(path, value)(changed)
    assert breaking_changes(DOCUMENT, changed) == []


def test_the_same_document_breaks_nobody() -> None:
    """The real one against itself: every construct it uses is understood."""
    assert breaking_changes(committed(), committed()) == []
