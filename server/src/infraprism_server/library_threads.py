"""Threads that a library starts for itself: they run on any core, and after ours.

DuckDB's workers help whoever asks something. Beside long reads they would take half of the cores
from intake and the writer, which are what clients wait for; the thread that asks keeps its place,
so a read that nothing competes with is as fast as before (docs/decisions/0007).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infraprism_server.one_core import ALL_CORES

NICE: Final = 10
"""A tenth of the time of a thread of ours on a core that both want."""

_TASKS: Final = Path("/proc/self/task")


@contextmanager
def standing_back() -> Iterator[None]:
    """What a library starts inside the block stands back. Does nothing but on Linux."""
    before = _tasks()
    yield
    ours = {thread.native_id for thread in threading.enumerate()}
    for task in _tasks() - before - ours:
        # One that has ended meanwhile, or may not be touched, is left as it is.
        with suppress(OSError):
            # Who starts a thread hands down its cores, and the writer has one alone.
            os.sched_setaffinity(task, ALL_CORES)
            os.setpriority(os.PRIO_PROCESS, task, NICE)


def _tasks() -> set[int]:
    return {int(task.name) for task in _TASKS.iterdir()} if sys.platform == "linux" else set()
