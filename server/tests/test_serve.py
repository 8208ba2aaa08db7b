"""`infraprism serve` as a person starts it: what it prints, refuses and leaves behind.

The first start is one from nothing; the others are forked, see contract_tests/harness/forked.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from contract_tests.harness.forked import Forked, forked_command, run_forked_command
from infraprism_server.importer.sample import CALLS
from infraprism_server.serve import free_port

INFRAPRISM = Path(sys.executable).parent / "infraprism"
START_SECONDS = 60
CLEAN = {name: text for name, text in os.environ.items() if not name.startswith("INFRAPRISM_")}


class Server:
    """A server of its own process group, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str] | Forked, output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)
        return self.output

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Its exit status, and seconds until it ended."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(20), time.monotonic() - started


@contextmanager
def serving(
    folder: Path, *options: str, from_nothing: bool = False, **environment: str
) -> Iterator[Server]:
    output = folder.with_suffix(f".{time.monotonic_ns()}.txt")
    words = ["serve", "--port", "0", "--data-dir", str(folder), *options]
    process: subprocess.Popen[str] | Forked
    if from_nothing:
        with output.open("w") as out:
            process = subprocess.Popen(
                [INFRAPRISM, *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env=CLEAN | environment,
                start_new_session=True,
            )
    else:
        output.touch()
        process = forked_command(words, CLEAN | environment, output, output)
    try:
        yield Server(process, output)
    finally:
        if process.poll() is None:
            if isinstance(process, Forked):
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def refused(folder: Path, *options: str) -> str:
    words = ["serve", "--data-dir", str(folder), *options]
    done = run_forked_command(words, CLEAN, START_SECONDS)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def fetch(curl_line: str) -> dict[str, object]:
    """What the printed line would fetch, without needing curl."""
    url, header = re.findall(r'"([^"]*)"', curl_line)
    name, _, value = header.partition(": ")
    request = urllib.request.Request(url, headers={name: value})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


@pytest.mark.timeout(180)
def test_a_first_start_shows_a_key_real_spend_and_a_line_that_works(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder, "--bootstrap", from_nothing=True) as server:
        printed = server.wait_for("Ctrl-C")
        assert "The trace names no model" in printed
        assert "code-assistant" in printed
        assert f"{CALLS:,}" in printed
        (line,) = re.findall(r"curl .*", printed)
        answer = fetch(line)
        assert {entity["entity_id"] for entity in answer["data"]} == {"code-assistant", "chat"}
        assert sum(entity["total_events"] for entity in answer["data"]) == CALLS
        (link,) = re.findall(r"http\S+/sign-in/link\?token=\S+", printed)
        with httpx2.Client(follow_redirects=True) as browser:
            assert "code-assistant" in browser.get(link).text
        assert httpx2.get(link).status_code == 401, "it signs one browser in"
        status, seconds = server.stop()
        assert status == 0
        assert seconds < 10
        assert "nanobind" not in server.output
    key = re.findall(r"ip-\w{30,}", printed)[0]
    assert oct(folder.stat().st_mode)[-3:] == "700"
    with serving(folder, "--bootstrap") as server:
        printed = server.wait_for("Ctrl-C")
        assert key not in printed
        assert "$INFRAPRISM_API_KEY" in printed
        assert f"{CALLS:,}" in printed
        (line,) = re.findall(r"curl .*", printed)
        assert fetch(line.replace("$INFRAPRISM_API_KEY", key))["pagination"]["total"] == 2
        _, seconds = server.stop(signal.SIGINT)
        assert seconds < 10


def test_without_bootstrap_nothing_is_invented(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        printed = server.wait_for("Ctrl-C")
        assert "There is no account yet" in printed
        assert "infraprism accounts create" in printed
        assert "ip-" not in printed.replace("Bearer $INFRAPRISM_API_KEY", "")


def test_the_sample_can_be_left_out(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--bootstrap", INFRAPRISM_SAMPLE="0") as server:
        printed = server.wait_for("Ctrl-C")
        assert "Spend so far" not in printed
        (line,) = re.findall(r"curl .*", printed)
        assert fetch(line)["data"] == []


def test_a_second_start_says_who_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder) as server:
        server.wait_for("Ctrl-C")
        assert f"process {server.process.pid}" in refused(folder, "--port", "0")


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(tmp_path / "data", "--port", str(port))
    assert f"port {port} is in use" in said


def test_a_host_of_another_machine_is_one_clear_line(tmp_path: Path) -> None:
    assert "not an address of this machine" in refused(tmp_path / "data", "--host", "192.0.2.1")


def test_a_folder_that_can_not_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "choose another with --data-dir" in refused(tmp_path / "file" / "data", "--port", "0")


def test_beyond_loopback_without_https_is_said_loudly(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--host", "0.0.0.0") as server:
        assert "WARNING" in server.wait_for("Ctrl-C")


def test_a_free_port_is_found() -> None:
    assert free_port("127.0.0.1", 0) > 0
