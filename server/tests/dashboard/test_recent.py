"""Answers that may be a little old: how old, and who waits for a new one."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from infraprism_server.clock import FixedClock
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.recent import KEPT_US, Recent

KEY = (1, "what")


def until_it_is(recent: Recent, wanted: str) -> None:
    """Wait until the kept answer is this one."""
    deadline = time.monotonic() + 10
    while recent.get(KEY, lambda: "made by who waits") != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_an_answer_is_kept_for_half_a_minute(clock: FixedClock) -> None:
    recent = Recent(clock, ask)
    assert recent.get(KEY, lambda: "old") == "old"
    clock.advance(timedelta(microseconds=KEPT_US - 1))
    assert recent.get(KEY, lambda: "new") == "old"
    clock.advance(timedelta(microseconds=1))
    assert recent.get(KEY, lambda: "new") == "new"
    assert recent.get((2, "what"), lambda: "another account's") == "another account's"


def test_what_is_renewed_beside_is_waited_for_by_nobody(clock: FixedClock) -> None:
    recent, go_on = Recent(clock, ask), threading.Event()
    makers: list[str] = []

    def make() -> str:
        makers.append(threading.current_thread().name)
        assert go_on.wait(10)
        return "new"

    recent.get(KEY, lambda: "old")
    clock.advance(timedelta(microseconds=KEPT_US + 100))
    for _ in range(5):
        assert recent.get(KEY, make, renewed_within_us=101) == "old"
    go_on.set()
    until_it_is(recent, "new")
    assert len(makers) == 1
    assert makers[0] != threading.current_thread().name


def test_what_is_too_old_to_be_shown_is_made_anew(clock: FixedClock) -> None:
    recent = Recent(clock, ask)
    recent.get(KEY, lambda: "old")
    clock.advance(timedelta(microseconds=KEPT_US + 100))
    assert recent.get(KEY, lambda: "new", renewed_within_us=100) == "new"


def test_an_answer_that_can_not_be_renewed_is_tried_again(clock: FixedClock) -> None:
    recent, tried = Recent(clock, ask), threading.Event()

    def fail() -> str:
        tried.set()
        raise OSError("away")

    recent.get(KEY, lambda: "old")
    clock.advance(timedelta(microseconds=KEPT_US))
    assert recent.get(KEY, fail, renewed_within_us=10 * KEPT_US) == "old"
    assert tried.wait(10)
    clock.advance(timedelta(microseconds=KEPT_US))
    assert recent.get(KEY, lambda: "new", renewed_within_us=10 * KEPT_US) == "old"
    until_it_is(recent, "new")
    clock.advance(timedelta(microseconds=20 * KEPT_US))
    with pytest.raises(OSError, match="away"):
        recent.get(KEY, fail)
