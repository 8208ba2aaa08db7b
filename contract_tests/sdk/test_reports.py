"""R38 against a real server: what an SDK dropped is what the server says it dropped."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from contract_tests.sdk.conftest import Server
from infraprism.uploader import Uploader


def health(server: Server) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.key}"}
    answer = httpx2.get(f"{server.url}/v1/sdk/health", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_r38_what_was_dropped_is_what_the_server_says_was_dropped(reported: Server) -> None:
    before = health(reported)
    one = Uploader(f"{reported.url}/v1", reported.key, max_events=50, gather_seconds=0.02)
    for number in range(2_000):
        event = {"id": f"evt_r38_{number}", "timestamp": time.time_ns(), "provider": "p"}
        one.record({**event, "model": "m"})
    assert one.flush(20)
    one.close(5)
    mine = one.counters.snapshot()
    after = health(reported)
    assert mine.queued == 2_000
    assert after["queued"] - before["queued"] == 2_000
    assert after["sent"] - before["sent"] == mine.sent
    dropped = {
        reason: count - before["dropped"].get(reason, 0)
        for reason, count in after["dropped"].items()
    }
    assert dropped["queue_full"] == mine.dropped["queue_full"] > 0
    assert mine.sent + sum(mine.dropped.values()) == 2_000
    assert after["versions"][0]["runtime"].startswith("python 3.")
