"""gunicorn as it comes: a prefork server whose master has imported and used the SDK already."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2

from sdk.tests.fake_server import FakeServer

APPLICATION = """
import os
import infraprism

infraprism.track(provider="openai", model="m", input_tokens=1, session_id="master")


def application(environ, start_response):
    infraprism.track(
        provider="openai", model="m", input_tokens=1, session_id=environ["PATH_INFO"],
        tags={"pid": os.getpid()},
    )
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_under_gunicorn_every_call_of_master_and_workers_counts_once(tmp_path: Path) -> None:
    """Loaded before the fork (--preload), two workers, ended by SIGTERM with calls just made."""
    (tmp_path / "app.py").write_text(APPLICATION)
    port = free_port()
    with FakeServer() as fake:
        environment = {
            **os.environ,
            "INFRAPRISM_API_KEY": "ip-test",
            "INFRAPRISM_BASE_URL": fake.url,
        }
        options = ["--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--no-sendfile"]
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "app:application"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            asked = ask(f"http://127.0.0.1:{port}", 60)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
        sessions = sorted(event["session_id"] for event in fake.events.values())
        assert sessions == sorted(["master", *asked])
        assert fake.duplicates == 0


def ask(url: str, requests: int) -> list[str]:
    """That many requests, once the server answers; the paths that were asked for."""
    deadline = time.monotonic() + 60
    with httpx2.Client(base_url=url, headers={"Connection": "close"}) as client:
        while True:
            try:
                client.get("/0")
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline, "gunicorn did not start"
                time.sleep(0.1)
        for number in range(1, requests):
            assert client.get(f"/{number}").status_code == 200
    return [f"/{number}" for number in range(requests)]
