"""Keeping the threads that take turns at Python's lock on one core.

HTTP, intake and the writer hand the same objects from one to the next and hardly ever run at the
same time, since all three hold the interpreter's lock. On two cores each finds its objects in the
other's cache: measured with two cores, ingest took 15 to 17 µs of CPU an event on one of them and
18 to 25 on both. DuckDB's own threads and those that read stay free.
"""

from __future__ import annotations

import os
import threading

_CAN = hasattr(os, "sched_setaffinity")
ALL_CORES = frozenset(os.sched_getaffinity(0)) if _CAN else frozenset[int]()
_thread = threading.local()


def stay_on_one_core() -> None:
    """Keep the calling thread, and those it starts, on this process's one core for such threads.

    Different processes choose different cores of those they may use. Does nothing with one core,
    or on systems that have no such call.
    """
    if len(ALL_CORES) > 1:
        os.sched_setaffinity(0, {sorted(ALL_CORES)[os.getpid() % len(ALL_CORES)]})


def use_all_cores() -> None:
    """Let the calling thread run anywhere again; asked often, done once a thread."""
    if len(ALL_CORES) > 1 and not getattr(_thread, "free", False):
        os.sched_setaffinity(0, ALL_CORES)
        _thread.free = True
