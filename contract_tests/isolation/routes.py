"""Every route the server says it has, and who may call it by the contract's words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from contract_tests.harness.client import Client

METHODS = ("get", "post", "put", "patch", "delete")
SCOPES = ("full", "read", "ingest")
INGEST_ROUTES = frozenset(
    {
        ("POST", "/v1/events"),
        ("GET", "/v1/me"),
        ("GET", "/v1/limits/status"),
        ("GET", "/v1/limits/blocked"),
        ("POST", "/v1/sdk/reports"),
    }
)
"""decisions.md: `ingest`: POST events, `/v1/me`, limit status, who is blocked, the SDK's report."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path of the OpenAPI document."""

    method: str
    path: str
    status: int
    told_scopes: frozenset[str]
    parameters: list[dict[str, Any]] = field(hash=False)
    body: dict[str, Any] | None = field(hash=False)

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_names(self) -> list[str]:
        return re.findall(r"\{([a-z_]+)\}", self.path)

    def scopes(self) -> frozenset[str]:
        """Who may call it, by the contract; not by what the server says."""
        allowed = {"full"}
        if self.method == "GET":
            allowed.add("read")
        if (self.method, self.path) in INGEST_ROUTES:
            allowed.add("ingest")
        return frozenset(allowed)

    def url(self, ids: dict[str, str]) -> str:
        """The path with its parameters percent-encoded, and the query it can not do without."""
        path = re.sub(r"\{([a-z_]+)\}", lambda found: quote(ids[found[1]], safe=""), self.path)
        query = "&".join(
            f"{each['name']}={QUERY[each['name']]}"
            for each in self.parameters
            if each["in"] == "query" and each["required"]
        )
        return f"{path}?{query}" if query else path


QUERY = {
    "provider": "openai",
    "model": "gpt-4o",
    "entity_type": "customer",
    "entity_id": "acme-corp",
    "since": "0",
}
"""Values of query parameters that some route requires."""


def every_route(client: Client) -> list[Route]:
    """All routes of /v1/openapi.json, in its order."""
    document = client.ok("/v1/openapi.json")
    return [
        Route(
            method=method.upper(),
            path=path,
            status=min(int(status) for status in operation["responses"]),
            told_scopes=frozenset(operation["x-scopes"]),
            parameters=operation["parameters"],
            body=_body_schema(document, operation),
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def _body_schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    if "requestBody" not in operation:
        return None
    schema: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema
