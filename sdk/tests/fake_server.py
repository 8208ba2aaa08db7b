"""The InfraPrism server as the SDK meets it on bad days: busy, slow, refusing, silent."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from sdk.tests.local_server import LocalServer


class FakeServer:
    """Takes events and keeps them by id. `mode` says how it behaves from now on.

    ok · status:N (answers N) · hang (never answers) · reset (closes without an answer) ·
    slow (answers after 10 s) · trickle (a byte a second)
    """

    def __init__(
        self,
        *,
        max_events: int = 1000,
        known_fields: frozenset[str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.mode = "ok"
        self.retry_after: str | None = None
        self.max_events = max_events
        self.known_fields = known_fields
        self.events: dict[str, dict[str, Any]] = {}
        self.arrivals: list[tuple[float, int]] = []
        self.reports: dict[str, dict[str, Any]] = {}
        self.raw: list[bytes] = []
        self.blocked: list[dict[str, Any]] = []
        self.duplicates = 0
        self.conflicts = 0
        self._lock = threading.Lock()
        self._server = LocalServer(_handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FakeServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, events: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        if len(events) > self.max_events:
            return 413, {"error": {"code": "payload_too_large", "message": "", "param": None}}
        rejected = []
        accepted = 0
        with self._lock:
            for index, event in enumerate(events):
                unknown = self.known_fields and sorted(event.keys() - self.known_fields)
                if unknown:
                    error = {
                        "code": "invalid_request",
                        "message": f"Unknown field '{unknown[0]}'",
                        "param": f"events[{index}].{unknown[0]}",
                    }
                    rejected.append({"index": index, "error": error})
                elif event["id"] in self.events and event != self.events[event["id"]]:
                    self.conflicts += 1
                    error = {"code": "conflict", "message": "", "param": f"events[{index}].id"}
                    rejected.append({"index": index, "error": error})
                elif event["id"] in self.events:
                    self.duplicates += 1
                else:
                    self.events[event["id"]] = event
                    accepted += 1
        answer = {"accepted": accepted, "duplicates": 0, "rejected": rejected, "blocked": []}
        seen = {(event.get("entity_type"), event.get("entity_id")) for event in events}
        answer["blocked"] = [
            one for one in self.blocked if (one["entity_type"], one["entity_id"]) in seen
        ]
        return 200, answer


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            """Who is blocked: the whole list, every time."""
            if fake.mode == "hang":
                time.sleep(30)
            if fake.mode == "reset":
                self.close_connection = True
                return
            status = int(fake.mode.removeprefix("status:")) if fake.mode != "ok" else 200
            changes = [{**one, "blocked": True} for one in fake.blocked]
            answer = {"data": changes, "complete": True, "as_of": "2026-01-01T00:00:00Z"}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                raw = gzip.decompress(raw)
            body = json.loads(raw)
            fake.raw.append(self.path.encode() + raw + repr(self.headers.items()).encode() + raw)
            fake.arrivals.append((time.monotonic(), len(body.get("events", ()))))
            mode = fake.mode
            if mode == "hang":
                time.sleep(30)
            if mode == "slow":
                time.sleep(10)
            if mode == "reset":
                self.close_connection = True
                return
            status, answer = 200, {}
            if mode.startswith("status:"):
                status = int(mode.removeprefix("status:"))
            elif self.path == "/v1/sdk/reports":
                fake.reports.setdefault(self.headers["Idempotency-Key"], body)
            else:
                status, answer = fake.take(body["events"])
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if fake.retry_after is not None and status != 200:
                self.send_header("Retry-After", fake.retry_after)
            with suppress(OSError):
                self.end_headers()
            if mode == "trickle":
                for byte in data:
                    time.sleep(1)
                    with suppress(OSError):
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                return
            with suppress(OSError):  # it has gone meanwhile
                self.wfile.write(data)

    return Handler
