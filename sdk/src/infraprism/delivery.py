"""One batch to the server: what it answered, and what is to be done with each event of it."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from infraprism._version import __version__
from infraprism.counters import Counters
from infraprism.event import DERIVED, FIELDS, REQUIRED_FIELDS, SLICE, Event, encode

if TYPE_CHECKING:
    import ssl

    import httpx2

MAX_BATCH_BYTES: Final = 1024 * 1024
TIMEOUT_SECONDS: Final = 10.0
MAX_WAIT_SECONDS: Final = 60.0
MAX_RETRY_AFTER_SECONDS: Final = 300.0
_FIRST_WAIT_SECONDS: Final = 0.5
_FIELD = re.compile(r"events\[\d+\]\.(\w+)")


class Outcome(NamedTuple):
    """`retry`: send these again after `wait_seconds`. All others are sent or counted as dropped."""

    retry: list[Event]
    wait_seconds: float | None = None
    problem: str | None = None


def open_client() -> httpx2.Client:
    """A client of a background thread's own. Its imports are off the host's start-up."""
    with _importing:
        # All that the first request needs.
        import encodings.idna  # noqa: F401, PLC0415
        import gzip  # noqa: F401, PLC0415

        import httpcore2  # noqa: F401, PLC0415
        import httpx2  # noqa: PLC0415

        # No proxy of the environment's, but the authorities that it trusts.
        return httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities of the machine, or those of SSL_CERT_FILE or SSL_CERT_DIR.

    Read once a process: it takes 20 ms of CPU.
    """
    import httpx2  # noqa: PLC0415 - see open_client

    return httpx2.create_ssl_context()


def full_jitter(attempt: int) -> float:
    """Seconds to wait before a further attempt: uniform up to a bound that doubles."""
    bound: float = min(MAX_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(attempt, 10))
    return random.uniform(0.0, bound)  # noqa: S311 - spreads clients, hides nothing


def drain_pause(gather_seconds: float) -> float:
    """Seconds between two batches of what an outage left: half to one and a half of the usual."""
    return gather_seconds * random.uniform(0.5, 1.5)  # noqa: S311


class Delivery:
    """Posts batches. Owned by one thread; made anew after a fork."""

    def __init__(
        self,
        root: str,
        api_key: str,
        counters: Counters,
        answered: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """`answered` is shown the answer to each batch that the server took."""
        self._answered = answered
        self._root = root
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/json",
            "User-Agent": f"infraprism-python/{__version__}",
        }
        self._counters = counters
        self._unknown_fields: set[str] = set()
        self._client: httpx2.Client | None = None

    def send(self, events: Sequence[Event]) -> Outcome:
        """Post a batch; split it where it is too large, mend what the server names as wrong."""
        bodies = self._encoded(events)
        if len(events) > 1 and sum(map(len, bodies)) > MAX_BATCH_BYTES:
            return self._halves(events)
        try:
            response = self._post("/events", b'{"events":[' + b",".join(bodies) + b"]}")
        except Exception as error:  # noqa: BLE001 - whatever the network does, the events are kept
            return Outcome(list(events), None, type(error).__name__)
        if response.status_code == 200:
            return self._settle(events, response)
        return self._not_taken(events, response)

    def _not_taken(self, events: Sequence[Event], response: httpx2.Response) -> Outcome:
        """Split what is too large, drop what can not be read, keep the rest for a later attempt."""
        status = response.status_code
        if status == 413 and len(events) > 1:
            return self._halves(events)
        if status in {400, 413, 415, 422}:
            self._counters.dropped("too_large" if status == 413 else "refused", len(events))
            return Outcome([])
        wait = retry_after(response.headers.get("Retry-After"))
        return Outcome(list(events), wait, f"HTTP {status}")

    def report(self, body: bytes, key: str) -> bool:
        """Tell the server the counts; False when it did not take the report."""
        try:
            response = self._http().post(
                f"{self._root}/sdk/reports",
                content=body,
                headers={**self._headers, "Idempotency-Key": key},
            )
        except Exception:  # noqa: BLE001 - a report may fail like everything else on the network
            return False
        return response.is_success

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _post(self, path: str, body: bytes) -> httpx2.Response:
        client = self._http()
        import gzip  # noqa: PLC0415 - loaded with the client, when no fork can come between

        return client.post(
            self._root + path,
            content=gzip.compress(body, compresslevel=1),
            headers={**self._headers, "Content-Encoding": "gzip"},
        )

    def _http(self) -> httpx2.Client:
        if self._client is None:
            self._client = open_client()
        return self._client

    def _encoded(self, events: Sequence[Event]) -> list[bytes]:
        """In small slices: the host's threads get the interpreter in between."""
        without = frozenset(self._unknown_fields)
        bodies: list[bytes] = []
        for start in range(0, len(events), SLICE):
            if start:
                time.sleep(0)
            bodies.append(encode(events[start : start + SLICE], without))
        return bodies

    def _halves(self, events: Sequence[Event]) -> Outcome:
        middle = len(events) // 2
        first, second = self.send(events[:middle]), self.send(events[middle:])
        waits = [wait for wait in (first.wait_seconds, second.wait_seconds) if wait is not None]
        return Outcome(
            first.retry + second.retry,
            max(waits, default=None),
            first.problem or second.problem,
        )

    def _settle(self, events: Sequence[Event], response: httpx2.Response) -> Outcome:
        """Events the server took are sent; what it found wrong is mended once per field."""
        try:
            rejected = response.json()["rejected"]
            wrong = {int(item["index"]): item["error"] for item in rejected}
        except (ValueError, KeyError, TypeError):
            return Outcome(list(events), None, "an answer that is not the API's")
        self._counters.sent(len(events) - len(wrong))
        self._answered(response.content)
        mended = [
            event
            for index, error in wrong.items()
            if 0 <= index < len(events) and (event := self._mended(events[index], error))
        ]
        return self.send(mended) if mended else Outcome([])

    def _mended(self, event: Event, error: Any) -> Event | None:  # noqa: ANN401 - JSON
        """The event without the optional field at fault; None, counted, when there is none."""
        code = str(error.get("code")) if isinstance(error, dict) else ""
        match = _FIELD.match(str(error.get("param"))) if isinstance(error, dict) else None
        name = match.group(1) if match else ""
        if code == "conflict" and DERIVED in event:
            self._counters.sent(1)  # read before, by somebody else or with other attribution
            return None
        if code == "conflict" or name in REQUIRED_FIELDS or name not in FIELDS or name not in event:
            self._counters.dropped("conflict" if code == "conflict" else "rejected")
            return None
        self._counters.field_dropped(name)
        if "unknown field" in str(error.get("message")).lower():
            self._unknown_fields.add(name)
        left = {"entity_type", "entity_id"} if name in {"entity_type", "entity_id"} else {name}
        return {key: value for key, value in event.items() if key not in left}


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header with a little jitter, bounded; None when there is none."""
    try:
        seconds = float(header) if header else None
    except ValueError:
        return None
    if seconds is None or not 0 <= seconds < float("inf"):
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) + random.uniform(0.0, 1.0)  # noqa: S311


_importing = threading.Lock()
"""Held while the upload thread imports. A fork in the middle of it would leave the child with a
module's lock that nobody releases: the child could never import it."""
_MAX_FORK_WAIT_SECONDS: Final = 2.0


_held_for_fork = threading.local()


def _before_fork() -> None:
    _held_for_fork.now = _importing.acquire(timeout=_MAX_FORK_WAIT_SECONDS)


def _after_fork() -> None:
    if getattr(_held_for_fork, "now", False):
        _held_for_fork.now = False
        _importing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )
