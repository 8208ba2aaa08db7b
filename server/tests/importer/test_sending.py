"""What happens between the file and the server: limits, failures, interruptions."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from infraprism_server.importer.sender import Answer, Sender, SendingError, StoppedError

Run = Callable[..., Result]

HEADER = "timestamp,provider,model,entity_type,entity_id\n"


def rows(count: int) -> str:
    return HEADER + "".join(
        f"2026-01-02T03:04:05Z,openai,gpt-4o,customer,c{number}\n" for number in range(count)
    )


def test_a_rate_limit_is_waited_for_and_said(api: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(rows(10))
    api.script = [(429, {"Retry-After": "1", "X-RateLimit-Limit": "60"})]
    started = time.monotonic()
    result = run(tmp_path / "c.csv")
    assert time.monotonic() - started >= 1
    said = "waiting 1 s for the rate limit of the plan (60 requests a minute)"
    assert said in result.stderr
    assert "10 accepted" in result.stdout


def test_a_busy_server_and_a_cut_connection_are_tried_again(
    api: Any, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text(rows(2_500))
    api.script = [(503, {"Retry-After": "1"}), (0, {}), (500, {})]
    result = run(tmp_path / "c.csv")
    assert result.exit_code == 0, result.output
    assert "2,500 accepted" in result.stdout
    assert "answers 503: not now; trying again in 1.0 s" in result.stderr
    assert len(api.events) == 2_500


def test_an_unknown_key_ends_it_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(rows(10))
    result = run(tmp_path / "c.csv", "--api-key", "ip-other")
    assert result.exit_code == 1
    assert "does not know this API key" in result.stderr


def test_no_key_is_said_before_anything_is_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.csv").write_text(rows(1))
    monkeypatch.delenv("INFRAPRISM_API_KEY")
    result = run(tmp_path / "c.csv")
    assert result.exit_code == 2
    assert "INFRAPRISM_API_KEY" in result.output


def test_a_refused_body_goes_in_halves(api: Any) -> None:
    api.script = [(413, {})]
    sender = Sender(
        api.url, "ip-test", connections=1, notify=lambda _: None, stop=threading.Event()
    )
    events: list[dict[str, object]] = [
        {"id": f"e{n}", "timestamp": "2026-01-01T00:00:00Z", "provider": "p", "model": "m"}
        for n in range(5)
    ]
    del events[3]["model"]
    answer = sender.send(events)
    sender.close()
    assert isinstance(answer, Answer)
    assert (answer.accepted, [fault.index for fault in answer.rejected]) == (4, [3])
    assert api.batches == [2, 3]


def test_stop_ends_a_long_wait(api: Any) -> None:
    stop = threading.Event()
    api.script = [(429, {"Retry-After": "60"})]
    sender = Sender(api.url, "ip-test", connections=1, notify=lambda _: stop.set(), stop=stop)
    with pytest.raises(StoppedError):
        sender.send([{"id": "e"}])
    sender.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SendingError, match="http://host:port"):
        Sender(url, "ip-x", connections=1, notify=lambda _: None, stop=threading.Event())


def test_ctrl_c_leaves_a_checkpoint_and_the_next_run_goes_on(
    api: Any, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text(rows(40_000))
    reached = threading.Event()

    def slow(answered: int) -> None:
        if answered >= 10:
            reached.set()
            time.sleep(0.05)

    api.before_answer = slow
    code = "from infraprism_server.importer.command import import_command; import_command()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "c.csv")],
        env=os.environ.copy(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(30)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130, errors
    assert "Run the same command again to go on" in errors
    assert len(list((tmp_path / "state" / "infraprism" / "imports").glob("*.json"))) == 1
    before = len(api.batches)
    assert 10 <= before < 40

    api.before_answer = None
    result = run(tmp_path / "c.csv")
    assert result.exit_code == 0, result.output
    assert "going on after" in result.stderr
    assert "40,000 accepted, 0 duplicates" in result.stdout
    assert len(api.events) == 40_000
    assert len(api.batches) == 40
    assert not list((tmp_path / "state" / "infraprism" / "imports").glob("*.json"))


def test_another_key_does_not_go_on_from_the_first_ones_checkpoint(
    api: Any, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "c.csv").write_text(rows(3_000) + "broken\n")
    assert run(tmp_path / "c.csv").exit_code == 1
    result = run(tmp_path / "c.csv", "--api-key", "ip-other")
    assert "going on" not in result.stderr
