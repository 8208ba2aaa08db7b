"""The SDK's own counts reach the server: each number once, whatever becomes of an answer."""

from __future__ import annotations

import json
from typing import Any

from infraprism.counters import Counters
from infraprism.reporting import Reports
from infraprism.uploader import Uploader
from sdk.tests.fake_server import FakeServer


class Post:
    """A server that takes reports by key; `up` is whether its answers arrive."""

    def __init__(self) -> None:
        self.up = True
        self.taken: dict[str, dict[str, Any]] = {}

    def __call__(self, body: bytes, key: str) -> bool:
        self.taken.setdefault(key, json.loads(body))
        return self.up

    def total(self, name: str) -> int:
        return sum(report["dropped"].get(name, 0) for report in self.taken.values())


def test_a_report_whose_answer_was_lost_is_sent_again_as_it_was() -> None:
    """R38: what happened in between is in the next report, not in a changed first one."""
    counters, post = Counters(), Post()
    reports = Reports(counters)
    post.up = False
    counters.dropped("queue_full", 3)
    reports.send(post)
    counters.dropped("queue_full", 4)
    post.up = True
    reports.send(post)  # not yet: it waits before it tries again
    assert post.total("queue_full") == 3
    reports.send(post, closing=True)
    assert post.total("queue_full") == 7
    assert [report["dropped"] for report in post.taken.values()] == [
        {"queue_full": 3},
        {"queue_full": 4},
    ]


def test_losses_are_told_at_once_and_then_once_a_minute() -> None:
    now = [0.0]
    counters, post = Counters(), Post()
    reports = Reports(counters, lambda: now[0])
    for seconds, reported in ((0, 1), (59, 1), (61, 2), (122, 3)):
        now[0] = float(seconds)
        counters.dropped("queue_full")
        reports.send(post)
        assert len(post.taken) == reported
    assert post.total("queue_full") == 4


def test_without_losses_a_process_reports_after_a_minute_then_every_ten_and_at_its_end() -> None:
    now = [0.0]
    counters, post = Counters(), Post()
    reports = Reports(counters, lambda: now[0])
    for seconds, reported in ((0, 0), (61, 1), (600, 1), (662, 2)):
        now[0] = float(seconds)
        counters.sent(5)
        reports.send(post)
        assert len(post.taken) == reported
    reports.send(post, closing=True)
    assert len(post.taken) == 2, "nothing happened since"
    counters.sent(1)
    reports.send(post, closing=True)
    assert sum(report["sent"] for report in post.taken.values()) == 21


def test_a_process_that_ends_tells_what_it_sent() -> None:
    with FakeServer() as server:
        one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.02)
        for number in range(7):
            one.record({"id": f"evt_{number}", "timestamp": 1, "provider": "p", "model": "m"})
        one.close(5)
        (report,) = server.reports.values()
        assert (report["queued"], report["sent"], report["dropped"]) == (7, 7, {})
        assert report["runtime"].startswith("python 3.")
