"""Threads that take turns stay together, the others are free."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from infraprism_server.one_core import stay_on_one_core, use_all_cores


def in_a_thread(*steps: Callable[[], object]) -> set[int]:
    """The cores a new thread may use after some steps."""
    found: list[set[int]] = []

    def run() -> None:
        for step in steps:
            step()
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_threads_that_take_turns_share_one_core() -> None:
    first, second = in_a_thread(stay_on_one_core), in_a_thread(stay_on_one_core)
    assert first == second
    assert len(first) == 1


def test_a_thread_started_by_one_of_them_is_free_once_it_asks() -> None:
    everywhere = os.sched_getaffinity(0)
    inherited: list[set[int]] = []

    def start_another() -> None:
        inherited.append(in_a_thread(use_all_cores))

    in_a_thread(stay_on_one_core, start_another)
    assert inherited == [everywhere]


def test_the_caller_is_left_alone() -> None:
    before = os.sched_getaffinity(0)
    in_a_thread(stay_on_one_core)
    assert os.sched_getaffinity(0) == before
