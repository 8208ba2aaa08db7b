"""A local server with the wire formats of OpenAI and Anthropic: answers, streams and errors.

The model's name says what happens: `refuses-usage`, `fails-401`, `flaky` (500 once, then well),
`breaks` (a stream that ends in an error event), `cuts` (a stream whose connection is cut).
It imports nothing of the SDK, and remembers every request as it came.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
}
RESPONSES_USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 150,
}
ANTHROPIC_USAGE = {
    "input_tokens": 20,
    "output_tokens": 1,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 100,
}
ERRORS = {
    400: ("invalid_request_error", "context_length_exceeded"),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
}


class MockProvider:
    """`with MockProvider() as mock:` listens on loopback; `mock.requests` is what came."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer_text = "Hello there"
        self._failed_once: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> MockProvider:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def status_for(self, model: str, body: dict[str, Any]) -> int:
        if model.startswith("fails-"):
            return int(model.removeprefix("fails-"))
        if model == "flaky" and model not in self._failed_once:
            self._failed_once.add(model)
            return 500
        if model == "refuses-usage" and "stream_options" in body:
            return 400
        return 200


def chat_answer(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "service_tier": "default",
        "choices": [choice],
        "usage": CHAT_USAGE,
    }


def chat_chunks(model: str, text: str, *, usage: bool) -> list[dict[str, Any]]:
    def chunk(delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**head, "choices": [choice], **({"usage": None} if usage else {})}

    chunks = [chunk({"role": "assistant", "content": ""}, None)]
    chunks += [chunk({"content": word}, None) for word in text.split()]
    chunks.append(chunk({}, "stop"))
    if usage:
        chunks.append({**chunks[-1], "choices": [], "usage": CHAT_USAGE})
    return chunks


def response_answer(model: str, text: str) -> dict[str, Any]:
    content = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": model,
        "output": [{**item, "content": [content]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "flex",
        "usage": RESPONSES_USAGE,
    }


def response_events(model: str, text: str) -> list[dict[str, Any]]:
    answer = response_answer(model, text)
    started = {**answer, "status": "in_progress", "output": [], "usage": None}
    message = {**answer["output"][0], "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": message},
        {"type": "response.content_part.added", **at, "part": part},
        {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []},
        {"type": "response.completed", "response": answer},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def message_answer(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**ANTHROPIC_USAGE, "output_tokens": 30},
    }


def message_events(model: str, text: str) -> list[dict[str, Any]]:
    started = {**message_answer(model, text), "content": [], "stop_reason": None}
    started["usage"] = ANTHROPIC_USAGE
    delta = {"type": "text_delta", "text": text}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 30}},
        {"type": "message_stop"},
    ]


def _handler(mock: MockProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            mock.requests.append({"path": self.path, **body})
            mock.headers.append({name.lower(): value for name, value in self.headers.items()})
            model = body.get("model", "")
            status = mock.status_for(model, body)
            if status != 200:
                self._error(status)
            elif body.get("stream"):
                self._stream(model, body)
            else:
                self._json(200, self._answer(model))

        def _path(self) -> str:
            return self.path.partition("?")[0]

        def _answer(self, model: str) -> dict[str, Any]:
            text = mock.answer_text
            if self._path().endswith("/chat/completions"):
                return chat_answer(model, text)
            if self._path().endswith("/responses"):
                return response_answer(model, text)
            if self._path().endswith("/embeddings"):
                vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}
                usage = {"prompt_tokens": 8, "total_tokens": 8}
                return {"object": "list", "data": [vector], "model": model, "usage": usage}
            if self._path().endswith("/count_tokens"):
                return {"input_tokens": 9}
            return message_answer(model, text)

        def _error(self, status: int) -> None:
            kind, code = ERRORS[status]
            text = f"Unknown parameter: 'stream_options.include_usage'. {mock.answer_text}"
            error = {"message": text, "type": kind, "param": None, "code": code}
            self._json(status, {"type": "error", "error": error})

        def _json(self, status: int, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if status in {429, 500}:
                self.send_header("retry-after-ms", "5")
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, model: str, body: dict[str, Any]) -> None:
            text = mock.answer_text
            named = not self._path().endswith("/chat/completions")
            if not named:
                asked = bool((body.get("stream_options") or {}).get("include_usage"))
                events = chat_chunks(model, text, usage=asked)
            elif self._path().endswith("/responses"):
                events = response_events(model, text)
            else:
                events = message_events(model, text)
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
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    return Handler
