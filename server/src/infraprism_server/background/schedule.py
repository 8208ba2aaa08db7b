"""What is done again and again: one thread, each task at its own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

log = structlog.get_logger(__name__)


class BackgroundWork(Protocol):
    """Something with threads of its own, from the start of the server to its end."""

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self, timeout_seconds: float) -> object:
        """Finish what is under way and begin nothing else, within `timeout_seconds`."""


class Recurring(msgspec.Struct, frozen=True):
    """A task and the seconds between two runs of it."""

    name: str
    every_seconds: float
    run: Callable[[], object]


class Schedule:
    """Runs recurring tasks until stopped. One that fails is logged and tried at its next turn."""

    def __init__(self, tasks: Sequence[Recurring]) -> None:
        self._tasks = tasks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="schedule", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """Let the running task finish, start no other."""
        self._stop.set()
        self._thread.join(timeout_seconds)

    def _work(self) -> None:
        due = {task.name: time.monotonic() + task.every_seconds for task in self._tasks}
        while not self._stop.wait(max(0.05, min(due.values()) - time.monotonic())):
            for task in self._tasks:
                if due[task.name] <= time.monotonic() and not self._stop.is_set():
                    self._run(task)
                    due[task.name] = time.monotonic() + task.every_seconds

    def _run(self, task: Recurring) -> None:
        try:
            task.run()
        except Exception:
            log.exception("recurring task failed", task=task.name)
