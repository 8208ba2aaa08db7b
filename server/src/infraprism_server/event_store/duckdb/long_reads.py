"""Bounds on what reads may take: how many long ones run at once, and how long any one may run.

A scan of the events keeps every core busy, so several at once are no faster than one after the
other, but each makes commits wait for a core (docs/decisions/0007).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from infraprism_server.errors import Unavailable

TIMEOUT_SECONDS: Final = 30.0
MOST_WAITING: Final = 16
"""Waiting readers hold a thread of the pool each: fewer than it has, or short reads would wait."""
PATIENCE_SECONDS: Final = 5.0

_RETRY_SECONDS: Final = 2
_LOOK_SECONDS: Final = 0.1


class LongReads:
    """Turns for reads that scan the events."""

    def __init__(
        self,
        at_once: int | None = None,
        *,
        most_waiting: int = MOST_WAITING,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._turns = threading.Semaphore(at_once or default_at_once())
        self._places = threading.Semaphore(most_waiting)
        self._patience_seconds = patience_seconds

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and take it while the block runs. Unavailable when too many wait."""
        if not self._turns.acquire(blocking=False):
            if not self._places.acquire(blocking=False):
                raise _busy()
            try:
                if not self._turns.acquire(timeout=self._patience_seconds):
                    raise _busy()
            finally:
                self._places.release()
        try:
            yield
        finally:
            self._turns.release()

    @contextmanager
    def patient_turn(self) -> Iterator[None]:
        """A turn for background work, which may wait for as long as it takes."""
        with self._turns:
            yield


class Deadlines:
    """Interrupts cursors that work for too long. One thread, made when it is first needed."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._changed = threading.Condition()
        self._running: dict[duckdb.DuckDBPyConnection, float] = {}
        self._late: set[duckdb.DuckDBPyConnection] = set()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def watch(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt the cursor when the block takes too long, and raise Unavailable then."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._look, name="read-deadlines", daemon=True
                )
                self._thread.start()
            if not self._running:
                self._changed.notify()
            self._running[cursor] = time.monotonic() + self._timeout_seconds
        try:
            yield
        except duckdb.InterruptException as error:
            if cursor in self._late:
                raise Unavailable(
                    f"this question took longer than {self._timeout_seconds:g} s:"
                    " narrow its range or its filters",
                    _RETRY_SECONDS,
                ) from error
            raise
        finally:
            with self._changed:
                del self._running[cursor]
                self._late.discard(cursor)

    def close(self) -> None:
        """End the thread; nothing is watched any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while True:
            with self._changed:
                while not self._running and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._interrupt_late()
                self._changed.wait(_LOOK_SECONDS)

    def _interrupt_late(self) -> None:
        # Under the lock: no cursor can have begun anything else meanwhile.
        now = time.monotonic()
        for cursor, deadline in self._running.items():
            if deadline <= now:
                self._late.add(cursor)
                cursor.interrupt()


def default_at_once() -> int:
    """Half of the cores: a scan uses all it finds, and commits need one."""
    return max(1, (os.cpu_count() or 1) // 2)


def _busy() -> Unavailable:
    return Unavailable("too many long questions are asked at once: ask again", _RETRY_SECONDS)
