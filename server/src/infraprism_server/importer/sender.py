"""Batches of events to POST /v1/events, with patience: rate limits, a busy server, a lost line.

A batch may be sent again after any failure: ids make that harmless. Used by several threads.
"""

from __future__ import annotations

import gzip
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from infraprism_server.errors import InfraPrismError
from infraprism_server.importer.translation import Event

MAX_BODY_BYTES: Final = 4 << 20
"""Below the API's 5 MiB; a batch beyond it goes in halves."""
ATTEMPTS: Final = 12
"""About four minutes of an unreachable or failing server."""
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 3_600.0
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_INDEX = re.compile(r"^events\[\d+\]\.?")

Notify = Callable[[str], None]


class SendingError(InfraPrismError):
    """Sending can not go on; the message says why and what to do."""


class StoppedError(InfraPrismError):
    """The user asked to stop."""

    def __init__(self) -> None:
        super().__init__("stopped")


class _Fault(msgspec.Struct):
    code: str
    message: str
    param: str | None = None


class _Rejected(msgspec.Struct):
    index: int
    error: _Fault


class _Answer(msgspec.Struct):
    accepted: int
    duplicates: int
    rejected: list[_Rejected] = []


class _Refusal(msgspec.Struct):
    error: _Fault


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one event of a batch was not taken."""

    index: int
    code: str
    param: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch."""

    accepted: int
    duplicates: int
    rejected: tuple[Fault, ...]


class Sender:
    """One server, one key. `stop` ends waiting; `notify` is told what is being waited for."""

    def __init__(
        self, url: str, api_key: str, *, connections: int, notify: Notify, stop: threading.Event
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SendingError(f"{url} is no address: write it as http://host:port")
        if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise SendingError("The API key has characters that no key has")
        self._address = f"{parts.scheme}://{parts.netloc}"
        local = parts.hostname in _LOOPBACK
        self._packed = not local
        self._client = httpx2.Client(
            base_url=url.rstrip("/").removesuffix("/v1"),
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=_TIMEOUT,
            trust_env=not local,
            limits=httpx2.Limits(max_connections=connections),
        )
        self._notify = notify
        self._stop = stop
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._lock = threading.Lock()
        self._open_at = 0.0
        """Nothing is sent before this moment (monotonic): the rate limit said so."""

    def close(self) -> None:
        self._client.close()

    def send(self, events: list[Event]) -> Answer:
        """Send a batch until it is answered. SendingError when that is hopeless."""
        body = self._encode({"events": events})
        if len(body) > MAX_BODY_BYTES and len(events) > 1:
            return self._send_halves(events)
        headers = {"Content-Type": "application/json"}
        if self._packed:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        for attempt in range(ATTEMPTS):
            while True:
                self._wait_for_rate_limit()
                try:
                    response = self._client.post("/v1/events", content=body, headers=headers)
                except httpx2.UnsupportedProtocol as error:
                    raise SendingError(f"{self._address}: {error}") from None
                except httpx2.RemoteProtocolError as error:
                    # A kept connection that the server closed meanwhile: once is no failure.
                    problem = f"{self._address} can not be reached ({_named(error)})"
                    retry_after = 0.0 if attempt == 0 else None
                    break
                except httpx2.TransportError as error:
                    problem = f"{self._address} can not be reached ({_named(error)})"
                    retry_after = None
                    break
                if response.status_code == 429:
                    self._close_for(response)
                    continue
                if response.status_code == 413 and len(events) > 1:
                    return self._send_halves(events)
                if response.status_code < 500:
                    return self._answer(response)
                problem = f"{self._address} answers {response.status_code}: {_message(response)}"
                retry_after = _seconds(response)
                break
            if attempt + 1 < ATTEMPTS:
                self._pause(attempt, retry_after, problem)
        raise SendingError(f"{problem}. Nothing is lost: run the same command again to go on.")

    def _send_halves(self, events: list[Event]) -> Answer:
        middle = len(events) // 2
        first, second = self.send(events[:middle]), self.send(events[middle:])
        later = tuple(
            Fault(fault.index + middle, fault.code, fault.param, fault.message)
            for fault in second.rejected
        )
        return Answer(
            first.accepted + second.accepted,
            first.duplicates + second.duplicates,
            first.rejected + later,
        )

    def _answer(self, response: httpx2.Response) -> Answer:
        status = response.status_code
        if status == 401:
            raise SendingError(
                f"{self._address} does not know this API key. "
                "Give a key of this server with --api-key or INFRAPRISM_API_KEY."
            )
        if status == 403:
            raise SendingError(f"This API key may not send events: {_message(response)}")
        if status != 200:
            raise SendingError(
                f"{self._address} answers {status} to POST /v1/events: {_message(response)}"
            )
        try:
            read = msgspec.json.decode(response.content, type=_Answer)
        except msgspec.DecodeError:
            raise SendingError(f"{self._address} is no InfraPrism server: check --url") from None
        faults = tuple(
            Fault(
                item.index,
                item.error.code,
                _INDEX.sub("", item.error.param) or None if item.error.param else None,
                item.error.message,
            )
            for item in read.rejected
        )
        return Answer(read.accepted, read.duplicates, faults)

    def _close_for(self, response: httpx2.Response) -> None:
        """Let no thread send before the rate limit opens again, and say so once."""
        wait = _seconds(response) or 1.0
        now = time.monotonic()
        with self._lock:
            told = self._open_at > now
            self._open_at = max(self._open_at, now + wait)
        if not told:
            limit = response.headers.get("X-RateLimit-Limit")
            per_minute = f" ({limit} requests a minute)" if limit else ""
            self._notify(f"waiting {wait:.0f} s for the rate limit of the plan{per_minute}")

    def _wait_for_rate_limit(self) -> None:
        while not self._stop.is_set():
            wait = self._open_at - time.monotonic()
            if wait <= 0:
                return
            self._stop.wait(wait)
        raise StoppedError

    def _pause(self, attempt: int, retry_after: float | None, problem: str) -> None:
        """Wait before the next attempt: what the server says, else twice as long each time."""
        if retry_after == 0:
            return
        longest = min(0.5 * 2**attempt, _LONGEST_PAUSE_SECONDS)
        wait = retry_after or longest * random.uniform(0.5, 1.0)  # noqa: S311  spread, not secret
        self._notify(f"{problem}; trying again in {wait:.1f} s")
        if self._stop.wait(wait):
            raise StoppedError


def _named(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__


def _seconds(response: httpx2.Response) -> float | None:
    """Retry-After in seconds, within reason."""
    written = response.headers.get("Retry-After", "")
    if not written.isdecimal():
        return None
    return min(float(written), _LONGEST_WAIT_SECONDS) or None


def _message(response: httpx2.Response) -> str:
    """The server's own sentence, or the start of whatever it sent."""
    try:
        return msgspec.json.decode(response.content, type=_Refusal).error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return response.text[:200].strip() or response.reason_phrase
