"""Operator work without a running server: the command holds the folder and does the job itself.

The same stores and the same worker as `serve` has, with nothing that listens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from infraprism_server.data_folder import find_holder, lock_folder, make_folder
from infraprism_server.settings import Settings

_CLOSE_SECONDS: Final = 10.0


@contextmanager
def doing_upkeep(settings: Settings) -> Iterator[bool]:
    """While the block runs somebody does upkeep jobs; whether it is this process.

    StartupError when the folder can not be held or opened.
    """
    make_folder(settings.data_dir)
    if find_holder(settings.data_dir) is not None:
        yield False
    else:
        with _worker(settings):
            yield True


@contextmanager
def _worker(settings: Settings) -> Iterator[None]:
    # The whole server is imported here: it takes a second, and most of the time nobody needs it.
    from infraprism_server.app import compose  # noqa: PLC0415
    from infraprism_server.clock import SystemClock  # noqa: PLC0415
    from infraprism_server.control_store.installation import ensure_installation  # noqa: PLC0415
    from infraprism_server.control_store.start import start_control_store  # noqa: PLC0415
    from infraprism_server.event_store.duckdb.store import open_event_store  # noqa: PLC0415

    clock = SystemClock()
    with lock_folder(settings.data_dir, None), ExitStack() as stack:
        engine = start_control_store(
            settings.data_dir, settings.control_url, clock.now_us(), holds_folder=True
        )
        stack.callback(engine.dispose)
        store = open_event_store(
            settings.data_dir,
            instance_id=ensure_installation(engine, clock.now_us()).instance_id,
            clock=clock,
            memory_limit_mb=settings.memory_limit_mb,
            threads=settings.query_threads,
        )
        stack.callback(store.close, _CLOSE_SECONDS)
        worker = compose(settings, engine, store, clock, "http://127.0.0.1").upkeep
        worker.start()
        stack.callback(worker.stop, _CLOSE_SECONDS)
        yield
