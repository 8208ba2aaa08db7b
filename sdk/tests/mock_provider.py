"""A local server that speaks OpenAI's and Anthropic's wire: answers, streams, files and errors.

The model's name says what happens: `refuses-usage`, `fails-401`, `flaky` (500 once, then well),
`breaks` (a stream that ends in an error event), `cuts` (a stream whose connection is cut), `slow`.
It imports nothing of the SDK, remembers every request as it came and every answer as it went.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from sdk.tests import wire_formats as wire
from sdk.tests.local_server import LocalServer

ERRORS = {
    400: ("invalid_request_error", "context_length_exceeded"),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
}
USAGE: dict[str, dict[str, Any]] = {
    "/chat/completions": wire.CHAT_USAGE,
    "/completions": wire.CHAT_USAGE,
    "/responses": wire.RESPONSES_USAGE,
    "/embeddings": wire.EMBEDDING_USAGE,
    "/images/generations": wire.IMAGE_USAGE,
    "/images/edits": wire.IMAGE_USAGE,
    "/audio/transcriptions": wire.TRANSCRIPTION_USAGE,
    "/messages": wire.ANTHROPIC_USAGE,
}


@dataclass(frozen=True)
class Answer:
    """What was answered to one request, told apart by the host's own `x-call` header."""

    call: str
    path: str
    model: str
    status: int
    usage: dict[str, Any] | None


class MockProvider:
    """`with MockProvider() as mock:` listens on loopback; `mock.requests` is what came."""

    def __init__(self, usage: Callable[[str], dict[str, Any]] | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self.answer_text = "Hello there"
        self.background_status = "completed"
        self.usage = usage or (lambda operation: USAGE.get(operation, {}))
        self.refused = 0
        self._failed_once: set[str] = set()
        self._server = LocalServer(_handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> MockProvider:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def status_for(self, model: str, body: dict[str, Any], call: str) -> int:
        if model.startswith("fails-"):
            return int(model.removeprefix("fails-"))
        if model.startswith("flaky") and (model + call) not in self._failed_once:
            self._failed_once.add(model + call)
            return 500
        if model == "refuses-usage" and "stream_options" in body:
            return 400
        return 200


def operation_of(path: str) -> str:
    """A path without its version, deployment and query."""
    plain = path.partition("?")[0].removeprefix("/openai").removeprefix("/v1")
    if plain.startswith("/deployments/"):
        plain = "/" + plain.split("/", 3)[3]
    return plain


def _handler(mock: MockProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            mock.headers.append({name.lower(): value for name, value in self.headers.items()})
            operation = operation_of(self.path)
            name = operation.rsplit("/", 2)[
                -2 if operation.endswith(("content", "results")) else -1
            ]
            text = mock.answer_text
            if operation.endswith("/content"):
                self._lines(wire.openai_batch_lines("gpt-4o", text))
            elif operation.endswith("/results"):
                self._lines(wire.anthropic_batch_lines("claude-x", text))
            elif operation.startswith("/messages/batches/"):
                self._json(200, wire.anthropic_batch(name, mock.url))
            elif operation.startswith("/batches/"):
                self._json(200, wire.openai_batch(name))
            elif operation.startswith("/responses/"):
                self._json(200, self._background(name, mock.background_status))
            else:
                self._error(404)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            body = self._body(raw)
            mock.requests.append({"path": self.path, **body})
            mock.headers.append({name.lower(): value for name, value in self.headers.items()})
            model = body.get("model", "")
            self.call = self.headers.get("x-call", "")
            self.operation = operation_of(self.path)
            status = mock.status_for(model, body, self.call)
            if status != 200:
                self._told(model, status, None)
                self._error(status)
                return
            usage = mock.usage(self.operation)
            self._told(model, 200, usage)
            if body.get("stream"):
                self._stream(model, body, usage)
            elif self.operation == "/audio/speech":
                self._send(200, "audio/mpeg", b"ID3")
            else:
                self._json(200, self._answer(model, body, usage))

        def _body(self, raw: bytes) -> dict[str, Any]:
            if "json" in self.headers["Content-Type"]:
                body: dict[str, Any] = json.loads(raw)
                return body
            model = raw.partition(b'name="model"')[2].lstrip(b"\r\n").partition(b"\r\n")[0]
            return {"model": model.decode(), "multipart": raw.decode(errors="replace")}

        def _told(self, model: str, status: int, usage: dict[str, Any] | None) -> None:
            mock.answers.append(Answer(self.call, self.operation, model, status, usage))

        def _answer(self, model: str, body: dict[str, Any], usage: Any) -> dict[str, Any]:
            text = mock.answer_text
            if body.get("tool_choice") == "required":
                return wire.tool_answer(model, body["tools"][0]["function"]["name"], usage)
            if body.get("background"):
                return self._background("resp_later", "queued")
            answers: dict[str, Callable[[], dict[str, Any]]] = {
                "/chat/completions": lambda: wire.chat_answer(model, text, usage),
                "/responses": lambda: wire.response_answer(
                    model, text, usage, body.get("service_tier") or "flex"
                ),
                "/embeddings": lambda: wire.embedding_answer(model, usage),
                "/images/generations": lambda: wire.image_answer(usage),
                "/images/edits": lambda: wire.image_answer(usage),
                "/audio/transcriptions": lambda: {"text": text, "usage": usage},
                "/audio/translations": lambda: {"text": text},
                "/messages/count_tokens": lambda: {"input_tokens": 9},
                "/messages": lambda: wire.message_answer(model, text, usage),
            }
            return answers[self.operation]()

        def _background(self, name: str, status: str) -> dict[str, Any]:
            answer = wire.response_answer("gpt-5-mini", mock.answer_text, wire.RESPONSES_USAGE)
            answer |= {"id": name, "status": status, "background": name != "resp_plain"}
            if status in {"queued", "in_progress"}:
                answer |= {"output": [], "usage": None}
            return answer

        def _lines(self, lines: list[dict[str, Any]]) -> None:
            data = "".join(json.dumps(line) + "\n" for line in lines)
            self._send(200, "application/octet-stream", data.encode())

        def _error(self, status: int) -> None:
            kind, code = ERRORS.get(status, ("not_found_error", None))
            text = f"Unknown parameter: 'stream_options.include_usage'. {mock.answer_text}"
            error = {"message": text, "type": kind, "param": None, "code": code}
            self._json(status, {"type": "error", "error": error})

        def _json(self, status: int, answer: dict[str, Any]) -> None:
            self._send(status, "application/json", json.dumps(answer).encode())

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status in {429, 500}:
                self.send_header("retry-after-ms", "5")
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, model: str, body: dict[str, Any], usage: dict[str, Any]) -> None:
            text = mock.answer_text
            named = self.operation not in {"/chat/completions", "/completions"}
            if not named:
                asked = bool((body.get("stream_options") or {}).get("include_usage"))
                events = wire.chat_chunks(model, text, usage if asked else None)
            elif self.operation == "/responses":
                tier = body.get("service_tier") or "flex"
                events = wire.response_events(wire.response_answer(model, text, usage, tier), text)
            else:
                events = wire.message_events(model, text, usage)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for number, event in enumerate(events):
                if number == 2 and model == "breaks":
                    error = {"type": "overloaded_error", "message": f"Overloaded: {text}"}
                    self._event({"type": "error", "error": error}, named=named)
                    break
                if number == 2 and model == "cuts":
                    self.close_connection = True
                    self.connection.close()
                    return
                self._event(event, named=named)
                if model == "slow":
                    time.sleep(0.05)
            if not named and model != "breaks":
                self._chunk(b"data: [DONE]\n\n")
            self._chunk(b"")

        def _event(self, event: dict[str, Any], *, named: bool) -> None:
            name = f"event: {event['type']}\n" if named else ""
            data = json.dumps(event, separators=(",", ":"))
            self._chunk(f"{name}data: {data}\n\n".encode())

        def _chunk(self, data: bytes) -> None:
            with suppress(OSError):  # whoever asked has gone
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    return Handler
