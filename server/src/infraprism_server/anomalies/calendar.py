"""What an account's time zone makes of an hour: its distance from UTC, and month starts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from infraprism_server.clock import MICROSECONDS_PER_HOUR, from_us, to_us

MONTH_START_DAYS: Final = 2


def offset_hours(hour: int, zone: ZoneInfo) -> int:
    """Whole hours the zone is ahead of UTC then; a part of an hour is dropped."""
    offset = _local(hour, zone).utcoffset()
    return 0 if offset is None else offset // timedelta(hours=1)


def earlier_month_start(hour: int, zone: ZoneInfo) -> int | None:
    """In the first two days of a month: the same local hour of the month before."""
    local = _local(hour, zone)
    if local.day > MONTH_START_DAYS:
        return None
    before = local.replace(day=1) - timedelta(days=1)
    return to_us(before.replace(day=local.day)) // MICROSECONDS_PER_HOUR


def _local(hour: int, zone: ZoneInfo) -> datetime:
    return from_us(hour * MICROSECONDS_PER_HOUR).astimezone(zone)
