"""Routes that need no key: health, metrics, the OpenAPI document and the page made from it."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from infraprism_server.errors import Forbidden
from infraprism_server.http.addresses import is_loopback
from infraprism_server.http.api_page import PAGE_POLICY, api_css, render_api_page
from infraprism_server.http.authentication import bearer_text
from infraprism_server.http.operation import ApiRequest, JsonResponse, answer


class Health(msgspec.Struct, frozen=True):
    """The process lives."""

    status: str
    version: str


class Check(msgspec.Struct, frozen=True):
    """One thing readiness depends on."""

    name: str
    healthy: bool
    detail: str


class Readiness(msgspec.Struct, frozen=True):
    """Whether requests will be served well."""

    ready: bool
    checks: list[Check]


def system_routes(
    *,
    version: str,
    document: Callable[[], dict[str, Any]],
    readiness: Callable[[], list[Check]],
    registry: CollectorRegistry,
    metrics_token: str | None,
) -> Sequence[HTTPRouteHandler]:
    """The handlers, over what app.py composed.

    The OpenAPI document and its page are made when first asked for: no start waits for them.
    """
    described = cache(document)
    document_text = cache(lambda: msgspec.json.encode(described()))
    page = cache(lambda: render_api_page(described()))

    @get("/healthz", sync_to_thread=False)
    def healthz() -> JsonResponse:
        return answer(Health("ok", version))

    @get("/readyz", sync_to_thread=True)
    def readyz() -> JsonResponse:
        checks = readiness()
        ready = all(check.healthy for check in checks)
        response = answer(Readiness(ready, checks), 200 if ready else 503)
        if not ready:
            response.headers["Retry-After"] = "1"
        return response

    @get("/metrics", sync_to_thread=True)
    def metrics(request: ApiRequest) -> Response[bytes]:
        _check_metrics_access(request, metrics_token)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @get("/v1/openapi.json", sync_to_thread=True)
    def openapi() -> JsonResponse:
        return Response(document_text(), media_type="application/json")

    @get("/docs", sync_to_thread=True)
    def docs() -> Response[str]:
        return Response(
            page(),
            media_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": PAGE_POLICY},
        )

    @get("/docs/api.css", sync_to_thread=True)
    def css() -> Response[str]:
        return Response(api_css(), media_type="text/css; charset=utf-8")

    return [healthz, readyz, metrics, openapi, docs, css]


def _check_metrics_access(request: ApiRequest, token: str | None) -> None:
    """Loopback, or the operator's token. Forbidden otherwise."""
    given = bearer_text(request.headers.get("authorization"))
    if token is not None:
        if given is not None and hmac.compare_digest(given.encode(), token.encode()):
            return
        raise Forbidden("/metrics wants the bearer token in INFRAPRISM_METRICS_TOKEN")
    client = str(request.scope["infraprism_client"])  # type: ignore[typeddict-item]
    if not is_loopback(client):
        raise Forbidden(
            "/metrics answers to loopback alone; set INFRAPRISM_METRICS_TOKEN to open it"
        )
