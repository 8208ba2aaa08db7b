"""A route as one declaration: what it takes, what it answers, who may call it.

The handler, its checks and its place in the OpenAPI document all come from the same Operation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from anyio import to_thread
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from infraprism_server.errors import Forbidden, InvalidRequest
from infraprism_server.http.authentication import (
    SCOPE_FULL,
    SCOPE_READ,
    Principal,
)
from infraprism_server.http.body import MAX_BODY_BYTES, check_media_type
from infraprism_server.http.query import parse_query
from infraprism_server.http.wire import decode_body, encode
from infraprism_server.one_core import use_all_cores

Q = TypeVar("Q", bound=msgspec.Struct)
B = TypeVar("B")

ApiRequest = Request[Any, Any, Any]
JsonResponse = Response[bytes]


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query of a route that takes none."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What the OpenAPI document and the shared checks know of a route."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    tag: str
    answer: type
    status: int = 200
    query: type[msgspec.Struct] = NoQuery
    body: type | None = None
    path_params: dict[str, Any] = {}
    """For each parameter in the path its annotated type."""
    extra_scopes: tuple[str, ...] = ()
    """Scopes beside `full` (and `read`, which covers every GET)."""
    errors: tuple[int, ...] = ()
    """Statuses beyond 400, 401, 403, 429, 500 and 503, which every route may answer with."""
    idempotent: bool = False
    """Whether the route accepts an Idempotency-Key."""
    example: str | None = None
    """Name of the contract's example of the answer."""
    encodings: tuple[str, ...] = ()
    """Content-Encodings of the body that are read."""

    reads_body_itself: bool = False
    """Whether the handler bounds the body as it reads it; otherwise MAX_BODY_BYTES does."""

    def scopes(self) -> frozenset[str]:
        base = {SCOPE_FULL, SCOPE_READ} if self.method == "GET" else {SCOPE_FULL}
        return frozenset(base | set(self.extra_scopes))


def route(operation: Operation) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Make a handler of a function; a plain `def` runs in the thread pool, so it may wait."""

    def decorate(function: Callable[..., Any]) -> HTTPRouteHandler:
        handler = HTTPRouteHandler(
            operation.path,
            http_method=operation.method,
            status_code=operation.status,
            opt={"operation": operation},
            request_max_body_size=None if operation.reads_body_itself else MAX_BODY_BYTES,
        )
        return handler(function if iscoroutinefunction(function) else in_thread(function))

    return decorate


def in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a coroutine that runs it in the thread pool.

    Litestar's own `sync_to_thread` wraps a handler a second time when another method is registered
    for its path, and then answers with a coroutine.
    """

    def freely(**arguments: object) -> object:
        use_all_cores()
        return function(**arguments)

    @wraps(function)
    async def run(**arguments: object) -> object:
        return await to_thread.run_sync(partial(freely, **arguments))

    return run


def principal_of(request: ApiRequest, operation: Operation) -> Principal:
    """The caller. Forbidden when the key's scopes do not cover the route.

    A route without a query of its own refuses every parameter here: a typo must not pass.
    """
    principal: Principal = request.scope["infraprism_principal"]  # type: ignore[typeddict-item]
    if not principal.scopes & operation.scopes():
        raise Forbidden(
            f"This key's scopes ({', '.join(sorted(principal.scopes))}) do not cover "
            f"{operation.method} {operation.path}"
        )
    if operation.query is NoQuery:
        parse_query(request.scope["query_string"], NoQuery)
    return principal


def query_of(request: ApiRequest, kind: type[Q]) -> Q:
    """The query string as the route's Struct."""
    return parse_query(request.scope["query_string"], kind)


def body_of(request: ApiRequest, body: bytes, kind: type[B]) -> B:
    """The JSON body as the route's Struct."""
    check_media_type(request.headers.get("content-type"))
    return decode_body(body, kind)


def path_text(raw: str, param: str) -> str:
    """A path segment as text. Routing happens on the raw path, so `%2F` is part of a segment."""
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"'{param}' is not valid UTF-8", param) from None


def answer(value: object, status: int = 200) -> JsonResponse:
    """A JSON answer."""
    return Response(encode(value), status_code=status, media_type="application/json")


def created(body: bytes) -> JsonResponse:
    """A JSON answer that is encoded already, with status 201."""
    return Response(body, status_code=201, media_type="application/json")
