"""What holds for the tests of every part."""

from __future__ import annotations

import atexit
import gc

import pytest
from hypothesis import settings

GC_ALLOCATIONS = 100_000

gc.disable()  # until everything is imported

# Nothing is timed in the tests: on a busy machine an example takes as long as it takes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """From here on look for cycles, in what tests make alone and seldom.

    What was imported has some hundred thousand objects: to walk them took seconds of each worker.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # in the very end, or libraries tell of leaks
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
    gc.enable()
