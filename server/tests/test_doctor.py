"""`infraprism doctor` finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import FixedClock, SystemClock
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.installation import find_installation
from infraprism_server.control_store.start import start_control_store
from infraprism_server.control_store.tables import installation
from infraprism_server.data_folder import lock_folder
from infraprism_server.doctor import Finding, diagnose, run
from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.duckdb.store import open_event_store
from infraprism_server.settings import Settings

NOW_US = 1_790_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with both stores, one unpriced event in it, and nobody at work."""
    data = tmp_path / "data"
    engine = start_control_store(data, None, NOW_US, holds_folder=False)
    known = find_installation(engine)
    assert known is not None
    engine.dispose()
    store = open_event_store(data, instance_id=known.instance_id, clock=SystemClock())
    event = Event(id="e1", timestamp_us=NOW_US, provider="p", model="m")
    store.append(1, [event]).result(10)
    store.close(10)
    return data


@pytest.fixture
def answers() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A server at an address, and what it answers by path."""
    by_path: dict[str, tuple[int, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = by_path[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", by_path
    server.shutdown()
    server.server_close()


def look(folder: Path) -> list[Finding]:
    return diagnose(Settings(data_dir=folder, port=0))


def troubles(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.status != "ok"]


def test_a_healthy_folder_has_one_thing_to_say_its_unpriced_event(folder: Path) -> None:
    found = look(folder)
    (trouble,) = troubles(found)
    assert (trouble.area, trouble.status) == ("prices", "warn")
    assert trouble.text == "1 events of 1 models have no price"
    said = "\n".join(finding.text for finding in found)
    for expected in (
        "can be read and written",
        "control.db",
        "events.duckdb",
        "duckdb 2.0",
        "free",
    ):
        assert expected in said


def test_looking_changes_nothing(folder: Path) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        return {
            path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()
        }

    before = state()
    look(folder)
    assert state() == before


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    (trouble,) = troubles(look(tmp_path / "data"))
    assert "does not exist yet" in trouble.text
    assert not (tmp_path / "data").exists()


def test_stores_of_two_installations_do_not_fit(folder: Path) -> None:
    engine = open_control_store(sqlite_url(folder))
    with engine.begin() as connection:
        connection.execute(installation.update().values(instance_id="0" * 32))
    engine.dispose()
    failed = [finding for finding in look(folder) if finding.status == "fail"]
    assert [finding.area for finding in failed] == ["stores"]
    assert "belongs to another control store" in str(failed[0].advice)


def test_a_damaged_event_file_is_named_and_the_other_looks_go_on(folder: Path) -> None:
    (folder / "events.duckdb").write_bytes(b"not a database" * 1000)
    found = look(folder)
    (failed,) = [finding for finding in found if finding.status == "fail"]
    assert "events.duckdb can not be read" in failed.text
    assert {"versions", "clock"} <= {finding.area for finding in found}


def test_a_secret_that_others_can_read_is_a_warning(folder: Path) -> None:
    (folder / "secret.key").write_text("x")
    (folder / "secret.key").chmod(0o644)
    advice = [finding.advice for finding in troubles(look(folder))]
    assert f"chmod 600 {folder / 'secret.key'}" in advice


def test_a_file_from_the_future_says_that_the_clock_went_back(folder: Path) -> None:
    os.utime(folder / "control.db", (4_000_000_000, 4_000_000_000))
    assert any(finding.area == "clock" for finding in troubles(look(folder)))


def test_a_running_server_is_asked_and_its_file_left_alone(
    folder: Path, answers: tuple[str, dict[str, tuple[int, bytes]]]
) -> None:
    address, by_path = answers
    by_path["/healthz"] = (200, b"{}")
    by_path["/readyz"] = (
        503,
        b'{"ready": false, "checks": [{"name": "control store", "healthy": true, "detail": "fine"},'
        b' {"name": "event store", "healthy": false, "detail": "the disk is full"}]}',
    )
    (folder / "events.duckdb").write_bytes(b"in use: must not be opened")
    with lock_folder(folder, address):
        (failed,) = troubles(look(folder))
        assert f"{address}/readyz answers 503" in failed.text
        assert failed.advice == "event store: the disk is full"
        by_path["/readyz"] = (200, b"{}")
        assert not troubles(look(folder))


def test_a_server_that_does_not_answer_is_a_failure(folder: Path) -> None:
    with lock_folder(folder, "http://127.0.0.1:9"):
        (failed,) = troubles(look(folder))
    assert "does not answer" in failed.text
    assert str(os.getpid()) in str(failed.advice)


def test_the_exit_code_and_the_json_say_whether_something_failed(folder: Path) -> None:
    settings = Settings(data_dir=folder, port=0)
    out = io.StringIO()
    assert run(settings, Console(file=out), as_json=True) == 0
    assert json.loads(out.getvalue())["healthy"] is True
    (folder / "events.duckdb").write_bytes(b"x" * 5000)
    out = io.StringIO()
    assert run(settings, Console(file=out)) == 1
    assert "fail" in out.getvalue()


def test_jobs_that_wait_or_failed_are_named(folder: Path) -> None:
    engine = open_control_store(sqlite_url(folder))
    queue = JobQueue(engine, FixedClock(datetime(2026, 1, 1, tzinfo=UTC)))
    queue.insert("export", None, Finding("", "ok", ""))
    engine.dispose()
    found = look(folder)
    (late,) = [finding for finding in found if finding.area == "jobs"]
    assert late.status == "warn"
    assert late.text.startswith("export jobs: 1 queued, the oldest for ")
    (told,) = [finding for finding in found if finding.area == "webhooks"]
    assert (told.status, told.text[:21]) == ("ok", "deliveries: 0 pending")
