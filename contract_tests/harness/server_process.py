"""`infraprism serve` as a child process: started, killed, terminated, started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from benchmarks.server import create_account
from contract_tests.harness.client import CONNECTION_ERRORS, Client
from contract_tests.harness.forked import Forked, forked_command, run_forked_command
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.control_store.start import start_control_store
from infraprism_server.event_store.duckdb.store import open_event_store

COMMAND = Path(sys.executable).with_name("infraprism")
START_SECONDS = 60.0
EXIT_SECONDS = 30.0
RATE_LIMIT = 50_000_000
"""Requests a minute of accounts whose tests are not about rate limits."""


@dataclass(frozen=True, slots=True)
class TestAccount:
    """An account made by the command line, with its first key."""

    __test__ = False
    id: str
    email: str
    key: str


class ServerProcess:
    """One server over one data folder; the port stays the same when it is started again."""

    FORKED: ClassVar = False
    """Whether servers are forked from a process that has imported them, which tests switch on."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *options: str,
        forked: bool | None = None,
    ) -> None:
        """`options` are those of `infraprism serve`, such as `--bootstrap`.

        `forked`: see forked.py; not given, as `FORKED` says.
        """
        self.folder = folder
        self._options = options
        self.data_dir = folder / "data"
        self.log_path = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("INFRAPRISM_")
        }
        self.environment = {
            **inherited,
            "INFRAPRISM_LOG_LEVEL": "warning",
            "INFRAPRISM_LOG_FORMAT": "json",
            **(environment or {}),
        }
        self._forked = self.FORKED if forked is None else forked
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start the process without waiting for it to answer."""
        assert self._process is None, "it runs already"
        words = ["serve", "--port", str(self.port), "--data-dir", str(self.data_dir)]
        words += self._options
        if self._forked:
            if not self._options and not self.data_dir.exists():
                shutil.copytree(Path(_new_folder().name), self.data_dir)
            self._process = forked_command(words, self.environment, self.log_path, self.log_path)
            return
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [str(COMMAND), *words],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                start_new_session=True,
            )

    def start(self) -> float:
        """Start and wait until it is ready; seconds it took."""
        began = time.monotonic()
        self.launch()
        assert self._process is not None
        while time.monotonic() - began < START_SECONDS:
            assert self._process.poll() is None, f"the server ended at start:\n{self.log()}"
            if self._is_ready():
                return time.monotonic() - began
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"not ready after {START_SECONDS} s:\n{self.log()}")

    def kill(self) -> None:
        """kill -9 of the whole process group; nothing when it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            if isinstance(self._process, Forked):
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def terminate(self) -> tuple[int, float]:
        """SIGTERM, as an operator sends it; exit status and seconds until the end."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(EXIT_SECONDS)
        self._process = None
        return status, time.monotonic() - began

    def restart(self) -> float:
        """kill -9 and start again on the same folder and port; seconds until ready."""
        self.kill()
        return self.start()

    def run(self, *arguments: str) -> Any:
        """An `infraprism` command on this folder; the JSON it prints."""
        words = [*arguments, "--data-dir", str(self.data_dir), "--json"]
        if self._forked:
            done = run_forked_command(words, self.environment, START_SECONDS)
        else:
            done = subprocess.run(
                [str(COMMAND), *words],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=START_SECONDS,
                check=False,
            )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def create_account(
        self, name: str, *, plan: str = "enterprise", rate_limit: int | None = RATE_LIMIT
    ) -> TestAccount:
        """A new account with a key, by the command line; works beside the running server."""
        email = f"{name}@example.com"
        rate = ["--rate-limit", str(rate_limit)] if plan == "enterprise" else []
        made = self.run(
            *("accounts", "create", "--email", email, "--name", name, "--company", "Acme Corp"),
            *("--plan", plan, *rate),
        )
        return TestAccount(made["account"]["id"], email, made["api_key"])

    def add_account(self, name: str, *, rate_limit: int = RATE_LIMIT) -> TestAccount:
        """The same without a child process, which takes seconds: for tests that need many."""
        return make_account(self.data_dir, name, rate_limit)

    def client(self, account: TestAccount | None = None) -> Client:
        return Client(self.url, None if account is None else account.key)

    def log(self) -> str:
        """The end of what the server wrote to standard output and error."""
        return self.log_path.read_text(errors="replace")[-4000:] if self.log_path.exists() else ""

    def resident_bytes(self) -> int:
        """Memory of the process that is resident now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _is_ready(self) -> bool:
        client = Client(self.url, timeout_seconds=5)
        try:
            return client.get("/readyz").status == 200
        except CONNECTION_ERRORS:
            return False
        finally:
            client.close()


@cache
def _new_folder() -> TemporaryDirectory[str]:
    """A folder as a first start leaves it: a hundred servers begin with a copy of its tables."""
    folder, clock = TemporaryDirectory(), SystemClock()
    engine = start_control_store(Path(folder.name), None, clock.now_us(), holds_folder=False)
    instance_id = ensure_installation(engine, clock.now_us()).instance_id
    open_event_store(Path(folder.name), instance_id=instance_id, clock=clock).close(5)
    engine.dispose()
    return folder


def make_account(data_dir: Path, name: str, rate_limit: int) -> TestAccount:
    """An account beside a server that may be running, without a child process."""
    email = f"{name}@example.com"
    made = create_account(data_dir, email=email, name=name, rate_limit=rate_limit)
    return TestAccount(made.id, email, made.key)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
