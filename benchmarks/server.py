"""The real server as a child process in a process group of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import machine
from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.start import start_control_store

_COMMAND: Final = (
    sys.executable,
    "-W",
    "ignore",
    "-c",
    "from infraprism_server.cli import main; main()",
)
_READY_SECONDS: Final = 120.0
_EXIT_SECONDS: Final = 30.0
_IDLE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a data folder, and its key."""

    id: str
    key: str


def environment() -> dict[str, str]:
    """This process's environment, without settings of the server.

    And with Python as it is by default: it keeps compiled modules, or every start compiles anew.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("INFRAPRISM_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def create_account(
    data_dir: Path,
    *,
    email: str = "bench@infraprism.example",
    name: str = "Benchmark",
    rate_limit: int = 10_000_000,
) -> Account:
    """An enterprise account and its first key, as `infraprism accounts create` makes them.

    `rate_limit`: requests a minute; unless given it is out of the way.
    """
    clock = SystemClock()
    engine = start_control_store(data_dir, None, clock.now_us(), holds_folder=False)
    try:
        accounts = AccountService(engine, clock)
        made = accounts.create(
            NewAccount(
                email=email,
                name=name,
                company="Acme Corp",
                plan="enterprise",
                rate_limit_per_minute=rate_limit,
            )
        )
        key = ApiKeyService(engine, accounts, clock).create(made.number, CreateKey("default"))
        return Account(made.id, key.key)
    finally:
        engine.dispose()


class Server:
    """`infraprism serve` over one data folder. A context manager: it stops with the block."""

    def __init__(self, data_dir: Path, key: str) -> None:
        self._data_dir = data_dir
        self._key = key
        self.port = 0
        self.ready_seconds = 0.0
        self.exit_seconds = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until /readyz says 200; `ready_seconds` is how long that took."""
        self.port = _free_port()
        log = (self._data_dir / "server.log").open("ab")
        started = time.perf_counter()
        options = ["--port", str(self.port), "--data-dir", str(self._data_dir)]
        self._process = subprocess.Popen(
            [*_COMMAND, "serve", *options],
            env=environment() | {"INFRAPRISM_LOG_LEVEL": "warning"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        while not self._is_ready():
            if self._process.poll() is not None or time.perf_counter() > started + _READY_SECONDS:
                self.kill()
                raise RuntimeError(f"the server did not start: see {self._data_dir}/server.log")
            time.sleep(0.005)
        self.ready_seconds = time.perf_counter() - started

    @property
    def group(self) -> int:
        """The process group, which is the pid."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """SIGTERM, and wait; `exit_seconds` is how long that took."""
        if self._process is None:
            return
        started = time.perf_counter()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the server did not stop in {_EXIT_SECONDS:.0f} s") from None
        self.exit_seconds = time.perf_counter() - started
        self._process = None

    def kill(self) -> None:
        """SIGKILL to the whole group, as a crash would."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def cpu_seconds(self) -> float:
        return machine.cpu_seconds(self.group)

    def rss_bytes(self) -> int:
        return machine.rss_bytes(self.group)

    def client(self) -> Client:
        """A client with one kept-alive connection."""
        return Client(self.port, self._key)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.kill()


class Client:
    """One connection, one request at a time; opened anew when the server may have let go of it."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {key}"}
        self._used = time.monotonic()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        if time.monotonic() > self._used + _IDLE_SECONDS:
            self._connection.close()
        self._connection.request(method, path, body=body, headers=headers)
        self._used = time.monotonic()

    def raw(self, path: str) -> bytes:
        """The body of a GET. RuntimeError unless it is answered with 200."""
        self._send("GET", path, None, self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {body[:300]!r}")
        return body

    def post(self, path: str, body: bytes) -> Any:
        """The decoded answer to a POST of JSON."""
        headers = self._headers | {"Content-Type": "application/json"}
        self._send("POST", path, body, headers)
        response = self._connection.getresponse()
        text = response.read()
        if response.status not in (200, 201):
            raise RuntimeError(f"POST {path}: {response.status} {text[:300]!r}")
        return json.loads(text)

    def get(self, path: str) -> Any:
        """The decoded body of a GET."""
        return json.loads(self.raw(path))

    def stored_events(self) -> int:
        """How many events the account has, as both the list and the sums say."""
        listed = int(self.get("/v1/events?limit=1")["pagination"]["total"])
        summed = int(self.get("/v1/usage")["totals"]["events"])
        if listed != summed:
            raise RuntimeError(f"the list counts {listed} events, the sums {summed}")
        return listed

    def close(self) -> None:
        self._connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
