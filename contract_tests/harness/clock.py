"""The clock minutes that rate limits count in: a server's clock can not be set from outside."""

from __future__ import annotations

import time


def seconds_left() -> float:
    """Until the next minute starts."""
    return 60 - time.time() % 60


def wait_for_minute(*, at_least_seconds: float = 0, at_most_seconds: float = 60) -> None:
    """Sleep until the running minute has at least, and at most, that long to go."""
    assert at_least_seconds <= at_most_seconds
    if seconds_left() < at_least_seconds:
        time.sleep(seconds_left() + 0.05)
    if seconds_left() > at_most_seconds:
        time.sleep(seconds_left() - at_most_seconds)
