"""The load generator: a child process that posts pre-encoded bodies over plain sockets.

It must cost little beside the server on the same cores: a body is encoded once, and each time it
is sent its ids get a fresh first half in place (one bytes.replace). `python -m benchmarks.load`
reads a LoadJob as JSON on the first line of stdin, says `ready`, begins at the next line, and
answers a LoadResult.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
import socket
import sys
import threading
import time
from itertools import count
from typing import Any, Final, Literal

import msgspec

from benchmarks.generator import Generator, Plan, wire_event

PLACE: Final = b"@" * 16
"""Stands for the first half of each id until the body is sent."""
_PLACE_TEXT: Final = PLACE.decode()
_TEMPLATES: Final = 8
"""Different bodies a connection sends in turn."""
_RECENT_US: Final = 60_000_000
_PAUSE_SECONDS: Final = 0.05


class LoadJob(msgspec.Struct, frozen=True):
    """What one process sends, and over how many connections."""

    port: int
    key: str
    connections: int
    seconds: float
    events_each: int
    ids: Literal["native", "foreign"] = "native"
    """native: ids that sort by time, as the server and the SDK make them; foreign: UUID version 4
    as text."""
    gzip_bodies: int = 0
    """So many bodies a connection are compressed beforehand, and sent once each."""
    seed: int = 1


class LoadResult(msgspec.Struct):
    """What came of it. Times are perf_counter seconds, which all processes share."""

    started: float = 0.0
    ended: float = 0.0
    accepted: int = 0
    refused: int = 0
    """Requests answered with 429 or 503, and not repeated."""
    failures: list[str] = msgspec.field(default_factory=list)
    latencies_ms: list[float] = msgspec.field(default_factory=list)
    cpu_seconds: float = 0.0


class _Answer(msgspec.Struct):
    accepted: int
    duplicates: int
    rejected: list[Any]


def native_prefix(number: int) -> bytes:
    """The first half of a UUIDv7 of now; `number` keeps two of one millisecond apart."""
    return b"%012x7%03x" % (time.time_ns() // 1_000_000, number & 4095)


def foreign_prefix(_number: int) -> bytes:
    """The first 16 characters of a UUIDv4 as text."""
    digits = secrets.token_hex(7)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12]}".encode()


def templates(job: LoadJob, how_many: int) -> list[bytes]:
    """Bodies with placeholders. Their calls were made within the last minute."""
    now_us = time.time_ns() // 1_000
    generator = Generator(Plan(how_many * job.events_each, now_us, job.seed, _RECENT_US), threads=1)
    rows = generator.calls(0, generator.plan.events).to_pylist()
    generator.close()
    wire = [_with_place(wire_event(row), job.ids) for row in rows]
    return [
        json.dumps(
            {"events": wire[first : first + job.events_each]}, separators=(",", ":")
        ).encode()
        for first in range(0, len(wire), job.events_each)
    ]


def _with_place(event: dict[str, Any], ids: str) -> dict[str, Any]:
    tail = event["id"][-16:]
    if ids == "native":
        return event | {"id": f"evt_{_PLACE_TEXT}{tail}"}
    return event | {"id": f"{_PLACE_TEXT}{tail[:2]}-8{tail[2:5]}-{tail[4:]}"}


class _Connection(threading.Thread):
    """One kept-alive connection that posts until the time is over."""

    def __init__(self, job: LoadJob, bodies: list[bytes], result: LoadResult) -> None:
        super().__init__(daemon=True)
        self._job = job
        self._bodies = bodies
        self._result = result
        self._socket = socket.create_connection(("127.0.0.1", job.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        encoding = "Content-Encoding: gzip\r\n" if job.gzip_bodies else ""
        self._head = (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\n"
            f"Authorization: Bearer {job.key}\r\nContent-Type: application/json\r\n{encoding}"
            "Content-Length: "
        ).encode()

    def run(self) -> None:
        deadline = time.perf_counter() + self._job.seconds
        try:
            for number in count():
                if time.perf_counter() >= deadline:
                    return
                if self._job.gzip_bodies:
                    if number >= len(self._bodies):
                        return
                    self._post(self._bodies[number])
                else:
                    self._post(self._fresh(number))
        except (OSError, ValueError) as error:
            self._result.failures.append(f"{type(error).__name__}: {error}")
        finally:
            self._socket.close()

    def _fresh(self, number: int) -> bytes:
        body = self._bodies[number % len(self._bodies)]
        prefix = native_prefix if self._job.ids == "native" else foreign_prefix
        return body.replace(PLACE, prefix(number))

    def _post(self, body: bytes) -> None:
        started = time.perf_counter()
        self._socket.sendall(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
        status, text = self._read()
        self._result.latencies_ms.append((time.perf_counter() - started) * 1000)
        if status == 200:
            answer = msgspec.json.decode(text, type=_Answer)
            self._result.accepted += answer.accepted
            if answer.rejected or answer.duplicates:
                raise ValueError(f"not all accepted: {text[:300]!r}")
        elif status in (429, 503):
            self._result.refused += 1
            time.sleep(_PAUSE_SECONDS)
        else:
            raise ValueError(f"answered {status}: {text[:300]!r}")

    def _read(self) -> tuple[int, bytes]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head = received[:end].lower()
        _, _, after = head.partition(b"content-length:")
        length = int(after.split(b"\r\n", 1)[0])
        body = received[end + 4 :]
        while len(body) < length:
            body += self._receive()
        return int(head[9:12]), body

    def _receive(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def compressed(job: LoadJob, bodies: list[bytes]) -> list[bytes]:
    """Bodies of their own ids, compressed as the SDK would."""
    made = (
        bodies[number % len(bodies)].replace(PLACE, native_prefix(number))
        for number in range(job.gzip_bodies)
    )
    return [gzip.compress(body, compresslevel=1) for body in made]


def main() -> None:
    """Prepare, wait for the word, send, answer."""
    job = msgspec.json.decode(sys.stdin.readline(), type=LoadJob)
    bodies = templates(job, _TEMPLATES * job.connections)
    results = [LoadResult() for _ in range(job.connections)]
    connections = []
    for number, result in enumerate(results):
        own = bodies[number :: job.connections]
        own = compressed(job, own) if job.gzip_bodies else own
        connections.append(_Connection(job, own, result))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    before = os.times()
    total = LoadResult(started=time.perf_counter())
    for connection in connections:
        connection.start()
    for connection in connections:
        connection.join()
    total.ended = time.perf_counter()
    after = os.times()
    total.cpu_seconds = after.user - before.user + after.system - before.system
    for result in results:
        total.accepted += result.accepted
        total.refused += result.refused
        total.failures += result.failures
        total.latencies_ms += result.latencies_ms
    sys.stdout.write(msgspec.json.encode(total).decode() + "\n")


if __name__ == "__main__":
    main()
