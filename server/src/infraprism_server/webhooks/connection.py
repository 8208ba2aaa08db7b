"""One attempt over the network: to the address that was checked, within 15 s, 64 KiB read.

The name is looked up here, every address behind it is judged, and the socket is opened to one of
exactly those: a name that answers otherwise a moment later can not lead anywhere else.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from time import perf_counter_ns
from typing import Any, Final

import httpcore2

from infraprism_server import __version__
from infraprism_server.clock import Clock
from infraprism_server.webhooks.attempt import Attempt
from infraprism_server.webhooks.target import TargetNotAllowed, is_allowed

TIMEOUT_SECONDS: Final = 15.0
PATIENCE_SECONDS: Final = 3.0
_PATIENT_THREADS: Final = 16
MAX_RESPONSE_BYTES: Final = 64 * 1024
EXCERPT_CHARS: Final = 1_024
_MAX_ADDRESSES_TRIED: Final = 3
_CONNECT_SECONDS: Final = TIMEOUT_SECONDS / _MAX_ADDRESSES_TRIED
"""For one address: one that swallows packets leaves time for the next."""
_LOOKUP_THREADS: Final = 512
"""More than attempts under way: a lookup can not be cut off, and outlives the attempt it was for.
Threads are made when they are needed."""
_USER_AGENT: Final = f"InfraPrism-Webhooks/{__version__}"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TargetNotAllowed, "the address is not a public one"),
    (httpcore2.TimeoutException, "no answer in time"),
    (httpcore2.RemoteProtocolError, "the answer was not HTTP, or the connection ended before it"),
    (httpcore2.NetworkError, "the connection ended before an answer"),
    (OSError, "the connection ended before an answer"),
)

Resolver = Callable[[str, int], Awaitable[list[str]]]


class SystemResolver:
    """Names by the machine's resolver, in threads of its own: one that hangs holds up no store."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="webhook-dns")

    async def __call__(self, host: str, port: int) -> list[str]:
        """Every address of the name. OSError when there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, look_up, host, port)


class BoundedLookUp:
    """`look_up` for whoever waits for an answer: not for longer than a moment, not many at once.

    A name server that never answers must not hold the threads that answer everybody else.
    """

    def __init__(
        self,
        look_up: Callable[[str, int], list[str]],
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        at_once: int = _PATIENT_THREADS,
    ) -> None:
        self._look_up = look_up
        self._patience_seconds = patience_seconds
        self._free = threading.Semaphore(at_once)

    def __call__(self, host: str, port: int) -> list[str]:
        """Every address of the name. OSError when there is none, or none in time."""
        if not self._free.acquire(blocking=False):
            raise OSError("too many names are looked up at once")
        found: Future[list[str]] = Future()
        threading.Thread(
            target=self._run, args=(host, port, found), name="webhook-look-up", daemon=True
        ).start()
        try:
            return found.result(self._patience_seconds)
        except TimeoutError:
            raise OSError("the name was not looked up in time") from None

    def _run(self, host: str, port: int, found: Future[list[str]]) -> None:
        try:
            found.set_result(self._look_up(host, port))
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            found.set_exception(error)
        finally:
            self._free.release()


def look_up(host: str, port: int) -> list[str]:
    """Every address behind a name, as the machine's resolver sees them now. OSError if none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(target[4][0]) for target in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens sockets to allowed addresses alone; httpcore knows no other way out."""

    def __init__(self, resolve: Resolver, *, allow_private: bool) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._inner: httpcore2.AsyncNetworkBackend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """TargetNotAllowed if any address of the name is not public: it can not be a receiver's."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("the host name can not be looked up") from error
        if not addresses or not all(
            is_allowed(address, allow_private=self._allow_private) for address in addresses
        ):
            raise TargetNotAllowed
        failure: httpcore2.NetworkError | httpcore2.ConnectTimeout | None = None
        for address in addresses[:_MAX_ADDRESSES_TRIED]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout or _CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore2.NetworkError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:  # noqa: ANN401
        raise TargetNotAllowed

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class Sender:
    """Posts messages. One event loop's."""

    def __init__(
        self,
        clock: Clock,
        *,
        allow_private: bool,
        resolve: Resolver,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(),
            max_connections=None,
            # A connection that is kept was checked for an earlier attempt: each has its own.
            max_keepalive_connections=0,
            network_backend=GuardedBackend(resolve, allow_private=allow_private),
        )

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Attempt:
        """Send once. Whatever goes wrong is in the answer; only a cancellation is raised."""
        started_at_us = self._clock.now_us()
        began_ns = perf_counter_ns()
        status: int | None = None
        error: str | None = None
        retry_after: str | None = None
        excerpt = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._pool.stream(
                    "POST",
                    url,
                    headers=[
                        ("Content-Type", "application/json"),
                        ("User-Agent", _USER_AGENT),
                        ("Connection", "close"),
                        *headers.items(),
                    ],
                    content=body,
                ) as response,
            ):
                status = response.status
                retry_after = _header(response.headers, b"retry-after")
                await _read_some(response, excerpt)
        except TimeoutError:
            # An answer that began is the answer, even if its body never ends.
            error = None if status else f"no answer within {self._timeout_seconds:g} s"
        except Exception as failure:  # noqa: BLE001 - a receiver's doing, whatever it is
            error = None if status else reason(failure)
        return Attempt(
            started_at_us=started_at_us,
            duration_ms=(perf_counter_ns() - began_ns) // 1_000_000,
            status_code=status,
            error=error,
            response_excerpt=None if status is None else shown(bytes(excerpt)),
            retry_after=retry_after,
        )

    async def close(self) -> None:
        await self._pool.aclose()


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities of the machine, read once: it takes 20 ms of CPU."""
    return httpcore2.default_ssl_context()


def reason(failure: Exception) -> str:
    """Why there was no answer, in words that tell nothing about the inside of a network."""
    if isinstance(failure, httpcore2.ConnectError):
        text = str(failure)
        if "looked up" in text:
            return "the host name can not be looked up"
        tls = isinstance(failure.__cause__, ssl.SSLError) or "SSL" in text
        return "the TLS handshake failed" if tls else "the connection was not accepted"
    for kind, words in _REASONS:
        if isinstance(failure, kind):
            return words
    return f"it can not be sent ({type(failure).__name__})"


def shown(body: bytes) -> str:
    """The beginning of a response as text that is safe to store and to print."""
    text = body[: EXCERPT_CHARS * 4].decode("utf-8", "replace")
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:EXCERPT_CHARS]


async def _read_some(response: httpcore2.Response, into: bytearray) -> None:
    async for chunk in response.aiter_stream():
        into += chunk[: MAX_RESPONSE_BYTES - len(into)]
        if len(into) >= MAX_RESPONSE_BYTES:
            return


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    for key, value in headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None
