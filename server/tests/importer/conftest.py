"""A small real HTTP server that speaks POST /v1/events as the API does, and keeps what it got."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from infraprism_server.importer.command import import_command

KEY = "ip-test"
REQUIRED = ("timestamp", "provider", "model")


class FakeApi:
    """Events by id, and a script of answers to give before the real ones."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.batches: list[int] = []
        self.script: list[tuple[int, dict[str, str]]] = []
        """Answers (status, headers) to give first; status 0 cuts the connection."""
        self.before_answer: Callable[[int], None] | None = None
        """Called with the number of requests answered so far."""
        self._lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                api.answer(self, body)

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        with self._lock:
            if self.before_answer is not None:
                self.before_answer(len(self.batches))
            if self.script:
                status, headers = self.script.pop(0)
                if status == 0:
                    handler.close_connection = True
                    handler.connection.close()
                    return
                code = "rate_limited" if status == 429 else "unavailable"
                error = {"code": code, "message": "not now", "param": None}
                _send(handler, status, {"error": error}, headers)
                return
            if handler.headers["Authorization"] != f"Bearer {KEY}":
                error = {"code": "unauthorized", "message": "Invalid API key", "param": None}
                _send(handler, 401, {"error": error}, {})
                return
            events = json.loads(body, parse_float=str)["events"]
            assert 1 <= len(events) <= 1000
            self.batches.append(len(events))
            _send(handler, 200, self._store(events), {})

    def _store(self, events: list[dict[str, Any]]) -> dict[str, Any]:
        accepted = duplicates = 0
        rejected = []
        for index, event in enumerate(events):
            missing = [field for field in REQUIRED if field not in event]
            known = self.events.get(event["id"])
            if missing or event.get("input_tokens", 0) < 0:
                field = missing[0] if missing else "input_tokens"
                rejected.append(_rejection(index, "invalid_request", field))
            elif known is None:
                self.events[event["id"]] = event
                accepted += 1
            elif known == event:
                duplicates += 1
            else:
                rejected.append(_rejection(index, "conflict", "id"))
        return {
            "accepted": accepted,
            "duplicates": duplicates,
            "rejected": rejected,
            "blocked": [],
        }


def _rejection(index: int, code: str, field: str) -> dict[str, Any]:
    error = {"code": code, "message": f"{field} is wrong", "param": f"events[{index}].{field}"}
    return {"index": index, "error": error}


def _send(
    handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any], headers: dict[str, str]
) -> None:
    encoded = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(encoded))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(encoded)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def run(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `infraprism import` with these arguments against the server."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("INFRAPRISM_BASE_URL", api.url)
    monkeypatch.setenv("INFRAPRISM_API_KEY", KEY)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(import_command, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
