"""What happens to every request before and after its route: one ASGI layer around the application.

Request id, Host check, client address, authentication, rate limit, response headers, metrics and
the access log. Which route answers, and whether the key's scopes cover it, is not decided here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
import uuid_utils
from anyio import to_thread

from infraprism_server.errors import InfraPrismError
from infraprism_server.http.addresses import HostPolicy, TrustedProxies
from infraprism_server.http.authentication import (
    Authenticator,
    Principal,
    bearer_text,
    unauthorized,
)
from infraprism_server.http.error_body import error_answer, error_from, error_headers
from infraprism_server.http.metrics import RequestMetrics
from infraprism_server.http.rate_limit import Allowance, RateLimiter
from infraprism_server.http.request_body import RequestBody

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

API_PREFIX = "/v1/"
OPEN_PATHS = frozenset({"/v1/openapi.json"})
"""API paths that need no key and count against no limit."""

UNROUTED_METHOD = "UNROUTED"
"""Stands in for OPTIONS, which Litestar would answer itself, with one handler's methods alone.

There is no CORS here, so OPTIONS is a method like any other that a path does not take: 405.
"""

_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_NO_STORE = (b"cache-control", b"no-store")

log = structlog.get_logger("infraprism_server.access")


class Gateway:
    """The ASGI application that is served; `app` is the routes behind it."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        authenticator: Authenticator,
        limiter: RateLimiter,
        hosts: HostPolicy,
        proxies: TrustedProxies,
        metrics: RequestMetrics,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limiter = limiter
        self._hosts = hosts
        self._proxies = proxies
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:  # a websocket: there is none here
            await send({"type": "websocket.close", "code": 1008})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_ns = time.perf_counter_ns()
        request_id = uuid_utils.uuid7().hex
        headers = _headers(scope)
        # Route on the raw path: decoded, an entity id with a slash would be two segments.
        scope = dict(scope)
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        scope["path"] = raw_path.split(b"?", 1)[0].decode("latin-1")
        scope["raw_path"] = scope["path"].encode("latin-1")
        scope["infraprism_request_id"] = request_id
        peer = (scope.get("client") or ("", 0))[0]
        address = self._proxies.client_address(peer, headers.get(b"x-forwarded-for"))
        scope["scheme"] = self._proxies.scheme(
            peer, headers.get(b"x-forwarded-proto"), scope.get("scheme", "http")
        )
        scope["infraprism_client"] = address
        method = scope["method"]
        if method == "OPTIONS":
            scope["method"] = UNROUTED_METHOD
        extra: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id.encode())]
        extra += _SECURITY_HEADERS
        status = 0
        body = RequestBody(receive)

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status >= 400 and not body.ended:
                    await body.discard()
                    extra.extend([] if body.ended else [(b"connection", b"close")])
                told = message.get("headers", [])
                names = {name.lower() for name, _ in told}
                # A page may have said it already, in its own words.
                added = [header for header in extra if header[0] not in names]
                message = {**message, "headers": [*told, *added]}
            await send(message)

        try:
            self._hosts.check(headers.get(b"host"))
            if scope["path"].startswith(API_PREFIX) and scope["path"] not in OPEN_PATHS:
                extra.append(_NO_STORE)
                await self._admit(scope, headers, address, extra)
            await self._app(scope, body.receive, send_with_headers)
        except Exception as exception:
            if status:
                raise
            error = error_from(exception, request_id)
            await _send_error(error, send_with_headers)
        finally:
            seconds = (time.perf_counter_ns() - started_ns) / 1e9
            route = scope.get("path_template") or "unmatched"
            self._metrics.observe(method, route, status, seconds)
            log.debug(
                "request",
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 2),
            )

    async def _admit(
        self,
        scope: Scope,
        headers: dict[bytes, str],
        address: str,
        extra: list[tuple[bytes, bytes]],
    ) -> None:
        """Believe the key and count the request, or raise; the rate-limit headers are set."""
        principal = await self._principal(bearer_text(headers.get(b"authorization")))
        allowance: Allowance
        if principal is None:
            allowance = await self._limiter.count_failure(address)
            extra += allowance.headers()
            if not allowance.admitted:
                raise allowance.refusal(
                    "Too many failed authentications from this address; wait and use a good key"
                )
            raise unauthorized()
        allowance = await self._limiter.take(principal.account, principal.requests_per_minute)
        extra += allowance.headers()
        if not allowance.admitted:
            raise allowance.refusal(
                f"Rate limit of {allowance.limit} requests a minute exceeded; try again in "
                f"{allowance.retry_after_seconds} s"
            )
        scope["infraprism_principal"] = principal

    async def _principal(self, text: str | None) -> Principal | None:
        if text is None:
            return None
        known = self._authenticator.recall(text)
        if known is not None:
            return known
        return await to_thread.run_sync(self._authenticator.authenticate, text)


def _headers(scope: Scope) -> dict[bytes, str]:
    """Headers by lower-case name; of a repeated one the last."""
    return {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _send_error(error: InfraPrismError, send: Send) -> None:
    body = error_answer(error)
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *error_headers(error),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": head})
    await send({"type": "http.response.body", "body": body, "more_body": False})
