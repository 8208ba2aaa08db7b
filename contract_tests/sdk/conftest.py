"""A real server as a child process, with an account that its command line made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from infraprism import recorder
from sdk.tests.mock_provider import MockProvider


@dataclass(frozen=True)
class Server:
    """Where it listens, and the key of its account."""

    url: str
    key: str


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data: Path = tmp_path_factory.mktemp("data")
    infraprism = Path(sys.executable).parent / "infraprism"
    environment = {**os.environ, "INFRAPRISM_DATA_DIR": str(data)}
    who = ["--email", "a@example.com", "--name", "Ann", "--plan", "scale", "--json"]
    made = subprocess.run(
        [infraprism, "accounts", "create", *who],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    port = _free_port()
    child = subprocess.Popen(
        [infraprism, "serve", "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, child)
        yield Server(url, _key_in(json.loads(made.stdout)))
    finally:
        child.terminate()
        child.wait(15)


@pytest.fixture
def reporting(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("INFRAPRISM_API_KEY", server.key)
    monkeypatch.setenv("INFRAPRISM_BASE_URL", server.url)
    recorder.reset()
    yield server
    recorder.close()


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with MockProvider() as provider:
        yield provider


def _key_in(made: dict[str, object]) -> str:
    key = made.get("key") or made.get("api_key")
    return str(key["key"] if isinstance(key, dict) else key)


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_until_ready(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if httpx2.get(f"{url}/readyz", timeout=2).is_success:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")
