"""The time, as something that is passed in.

Instants are integers: microseconds since 1970-01-01T00:00:00Z. They sort, subtract exactly and
are what the event store holds; datetimes appear only where text or a calendar is involved.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_MINUTE = 60 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_HOUR = 3_600 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_DAY = 86_400 * MICROSECONDS_PER_SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock(Protocol):
    """Where the program learns what time it is. Tests pass one they can set."""

    def now_us(self) -> int:
        """Microseconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._now_us = to_us(now)

    def now_us(self) -> int:
        return self._now_us

    def advance(self, delta: timedelta) -> None:
        self._now_us += delta // _MICROSECOND


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime. Exact: no float is involved."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place on the time line")
    return (moment - _EPOCH) // _MICROSECOND


def from_us(instant_us: int) -> datetime:
    """The aware UTC datetime of an instant. OverflowError outside the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=instant_us)


def iso_utc(instant_us: int) -> str:
    """ISO 8601 with `Z`, microseconds only when they are not zero: the contract's form."""
    return from_us(instant_us).isoformat().replace("+00:00", "Z")
