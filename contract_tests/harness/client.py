"""A small HTTP client over http.client: one connection, exact bytes, numbers as Decimal."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 5.0
"""An older connection is not used again: in that moment the server may be closing it as idle."""

CONNECTION_ERRORS = (OSError, http.client.HTTPException)
"""What a cut connection raises: the request may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as it came; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body; numbers with a point or an exponent are Decimal."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object. AssertionError when this is not an error answer of ours."""
        body = self.json()
        assert set(body) == {"error"}, body
        assert set(body["error"]) == {"code", "message", "param"}, body
        error: dict[str, Any] = body["error"]
        return error


class Client:
    """Requests with one key over one kept connection. For one thread at a time."""

    def __init__(
        self, url: str, key: str | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname == "127.0.0.1", "only loopback is spoken to"
        self.url = url
        self.key = key
        self._connection = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=timeout_seconds
        )
        self._last_used = time.monotonic()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, path as given. Raises one of CONNECTION_ERRORS when it is cut."""
        sent = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        if time.monotonic() - self._last_used > IDLE_SECONDS:
            self._connection.close()  # a request opens it again
        self._last_used = time.monotonic()
        try:
            self._connection.request(method, path, body=body, headers=sent)
            response = self._connection.getresponse()
            data = response.read()
        except BaseException:
            self._connection.close()
            raise
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, data)

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Answer:
        return self.request("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)

    def send(
        self, method: str, path: str, value: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request with a JSON body."""
        return self.request(method, path, to_json(value), headers)

    def post(self, path: str, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("POST", path, value, headers)

    def patch(self, path: str, value: object) -> Answer:
        return self.send("PATCH", path, value)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def ingest(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        """Send events and answer what became of them; AssertionError unless it is 200."""
        answer = self.post("/v1/events", {"events": events})
        assert answer.status == 200, answer
        result: dict[str, Any] = answer.json()
        return result

    def ok(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.get(path, query)
        assert answer.status == 200, (path, query, answer)
        return answer.json()

    def every(self, path: str, query: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """All rows of a list, by following its cursors."""
        rows: list[dict[str, Any]] = []
        asked: dict[str, object] = {"limit": 1000, **(query or {})}
        while True:
            page = self.ok(path, asked)
            rows += page["data"]
            if not page["pagination"]["has_more"]:
                return rows
            asked["cursor"] = page["pagination"]["next_cursor"]

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        self._connection.close()

    def __del__(self) -> None:
        self.close()


def to_json(value: object) -> bytes:
    """JSON bytes; a Decimal keeps every digit."""
    return _text(value).encode()


def _text(value: object) -> str:
    match value:
        case Decimal():
            return format(value, "f")
        case dict():
            pairs = (f"{json.dumps(str(key))}:{_text(each)}" for key, each in value.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(_text(each) for each in value) + "]"
    return json.dumps(value)
