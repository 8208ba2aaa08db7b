"""The API client on its own: retries, idempotency keys, and answers that are not the API's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infraprism import Client
from infraprism.api import errors

KEY = {
    "id": "key_1",
    "name": "n",
    "key": "ip-x",
    "prefix": "ip-x",
    "created_at": "2026-01-01T00:00:00Z",
    "scopes": ["full"],
    "expires_at": None,
}


CODES = [
    "invalid_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "rate_limited",
    "internal_error",
    "method_not_allowed",
    "conflict",
    "payload_too_large",
    "unsupported_media_type",
    "unavailable",
]


class Script:
    """Answers in the order given; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def client(script: Script) -> Iterator[Client]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            script.seen.append((self.command, self.path, dict(self.headers.items())))
            status, body, headers = script.answers[0]
            if len(script.answers) > 1:
                script.answers.pop(0)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    with Client(api_key="ip-k", base_url=url) as one:
        yield one
    server.shutdown()
    server.server_close()


def test_a_creating_request_keeps_its_idempotency_key_over_retries(
    client: Client, script: Script
) -> None:
    script.answers = [(503, {}, {"Retry-After": "0"}), (500, b"", {}), (201, KEY, {})]
    assert client.api_keys.create("n").id == "key_1"
    keys = {headers["Idempotency-Key"] for _, _, headers in script.seen}
    assert (len(script.seen), len(keys)) == (3, 1)


def test_retries_end_and_the_error_says_when_to_come_back(client: Client, script: Script) -> None:
    detail = {"code": "rate_limited", "message": "slow down", "param": None}
    script.answers = [(429, {"error": detail}, {"Retry-After": "0", "X-Request-Id": "req"})]
    with pytest.raises(errors.RateLimited, match="slow down") as raised:
        client.me()
    assert (raised.value.retry_after_seconds, raised.value.request_id) == (0.0, "req")
    assert len(script.seen) == 3


def test_a_wait_of_hours_is_the_callers_to_take(client: Client, script: Script) -> None:
    script.answers = [(429, {}, {"Retry-After": "7200"})]
    with pytest.raises(errors.APIError) as raised:
        client.me()
    assert raised.value.retry_after_seconds == 7200
    assert len(script.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_what_can_not_get_better_is_not_asked_again(
    client: Client, script: Script, status: int
) -> None:
    script.answers = [(status, b"<html>", {})]
    with pytest.raises(errors.APIError) as raised:
        client.me()
    assert raised.value.status == status
    assert len(script.seen) == 1


def test_every_code_of_the_api_has_a_class_of_its_own() -> None:
    for code in CODES:
        error = errors.error_from(400, {"error": {"code": code, "message": "m"}}, {})
        assert (type(error) is not errors.APIError, error.code) == (True, code)


def test_no_answer_at_all_is_an_error_of_its_own() -> None:
    with (
        Client(api_key="ip-k", base_url="http://127.0.0.1:9", max_retries=1) as client,
        pytest.raises(errors.ConnectionFailed),
    ):
        client.me()


def test_lists_follow_the_cursor_and_ids_are_encoded(client: Client, script: Script) -> None:
    def page(cursor: str | None) -> dict[str, Any]:
        more = {"total": 2, "limit": 1, "offset": 0, "has_more": cursor is not None}
        entity = {
            "entity_type": "team",
            "entity_id": "a/b",
            "first_seen": None,
            "last_seen": None,
            "total_cost": 0.1,
            "total_events": 1,
            "total_tokens": 1,
            "errors": 0,
            "unpriced_events": 0,
            "name": None,
            "metadata": {},
            "revenue_usd_monthly": None,
            "margin_usd": None,
            "a_field_of_tomorrow": 1,
        }
        return {"data": [entity], "pagination": {**more, "next_cursor": cursor}}

    script.answers = [(200, page("c1"), {}), (200, page(None), {})]
    costs = [str(one.total_cost) for one in client.entities.iterate(type="team", page_size=1)]
    assert costs == ["0.1", "0.1"]
    assert "cursor=c1" in script.seen[1][1]
    script.answers = [(200, page(None)["data"][0], {})]
    client.entities.get("team", "a/b")
    assert script.seen[-1][1] == "/v1/entities/team/a%2Fb"
