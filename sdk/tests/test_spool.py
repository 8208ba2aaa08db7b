"""The spool: events on disk survive the end of their process, and are sent once by the next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from infraprism.spool import Spool
from infraprism.uploader import Uploader
from sdk.tests.fake_server import FakeServer
from sdk.tests.guest import event

PROGRAM = """
import os, sys, infraprism
for number in range(200):
    infraprism.track(provider="openai", model="m", input_tokens=1, session_id=str(number))
print("recorded", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as fake:
        yield fake


def uploader(server: FakeServer, folder: Path) -> Uploader:
    return Uploader(f"{server.url}/v1", "ip-test", gather_seconds=0.02, spool_folder=str(folder))


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def test_after_kill_9_the_next_process_sends_what_was_recorded_once(
    server: FakeServer, tmp_path: Path
) -> None:
    """The server is away, the process is killed, another one starts when the server is back."""
    server.mode = "status:503"
    environment = {
        **os.environ,
        "INFRAPRISM_API_KEY": "ip-test",
        "INFRAPRISM_BASE_URL": server.url,
        "INFRAPRISM_SPOOL_DIR": str(tmp_path / "spool"),
    }
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"recorded\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    child.stdin.close()
    assert server.events == {}
    server.mode = "ok"
    heirs = [uploader(server, tmp_path / "spool") for _ in range(2)]
    for heir in heirs:
        heir.start()
    deadline = time.monotonic() + 20
    while len(server.events) < 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    for heir in heirs:
        heir.close(2)
    assert sorted(int(one["session_id"]) for one in server.events.values()) == list(range(200))
    assert server.duplicates == 0, "one of the two took the file"
    assert left_in(tmp_path / "spool") == []


def test_what_is_sent_leaves_no_file_and_what_is_not_stays(
    server: FakeServer, tmp_path: Path
) -> None:
    one = uploader(server, tmp_path)
    one.record(event(cost_usd=Decimal("0.000000000001"), _usage=({"prompt_tokens": 3}, None)))
    assert one.flush(5)
    assert left_in(tmp_path) == []
    server.mode = "status:500"
    one.record(event(session_id="stays"))
    one.close(0.3)
    assert one.counters.snapshot().dropped == {}, "what is on disk is not lost"
    assert len(left_in(tmp_path)) == 1


def test_a_file_of_a_living_process_is_left_alone_and_of_a_dead_one_taken(tmp_path: Path) -> None:
    living = Spool(tmp_path, "http://x/v1", "k")
    living.append(event(session_id="mine", cost_usd=Decimal("0.25")))
    other = Spool(tmp_path, "http://x/v1", "k")
    assert list(other.orphans()) == []
    assert list(Spool(tmp_path, "http://x/v1", "another key").orphans()) == []
    living.left_by_parent()
    [path] = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id": "evt_torn", "tim')
    [found] = list(other.orphans())
    assert (found["session_id"], found["cost_usd"]) == ("mine", Decimal("0.25"))
    other.settle(found)
    assert left_in(tmp_path) == []


def test_only_listed_fields_are_written_and_only_the_owner_can_read_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new", "http://x/v1", "k")
    spool.append(event(messages="secret", prompt="secret"))
    [path] = (tmp_path / "new").iterdir()
    assert b"secret" not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    spool.left_by_parent()


def test_a_disk_that_refuses_is_logged_and_nothing_else_happens(
    server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    one = uploader(server, tmp_path / "file")
    one.record(event())
    assert one.flush(5)
    assert len(server.events) == 1
    one.close(1)


def test_a_forked_child_writes_a_file_of_its_own(server: FakeServer, tmp_path: Path) -> None:
    server.mode = "status:500"
    one = uploader(server, tmp_path)
    one.record(event(session_id="parent"))
    child = os.fork()
    if child == 0:
        one.record(event(session_id="child"))
        os._exit(0)
    os.waitpid(child, 0)
    assert len(left_in(tmp_path)) == 2
    server.mode = "ok"
    assert one.flush(10)
    heir = uploader(server, tmp_path)
    heir.start()
    deadline = time.monotonic() + 10
    while len(server.events) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    heir.close(2)
    one.close(2)
    assert {stored["session_id"] for stored in server.events.values()} == {"parent", "child"}
    assert left_in(tmp_path) == []
