"""Calendar buckets in a time zone: the instants between which usage is summed.

Buckets are adjacent and cut at the range's own ends, so that days always add up to the range:
a day with a clock change is 23 or 25 hours long, not two days and not a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from infraprism_server.clock import MICROSECONDS_PER_HOUR, from_us, to_us
from infraprism_server.errors import InvalidRequest

Interval: TypeAlias = Literal["hour", "day", "week", "month", "none"]

MAX_BUCKETS = 10_000


def bounds_of(start_us: int, end_us: int, interval: Interval, zone: ZoneInfo) -> tuple[int, ...]:
    """Ascending edges from start to end. InvalidRequest on `interval` beyond 10,000 buckets."""
    bounds = [start_us]
    for edge_us in _edges_after(start_us, interval, zone):
        if edge_us >= end_us:
            break
        # A zone that skips a day (Samoa, 2011) has two midnights at one instant.
        if edge_us > bounds[-1]:
            bounds.append(edge_us)
        if len(bounds) > MAX_BUCKETS:
            raise InvalidRequest(
                f"More than {MAX_BUCKETS:,} intervals between start and end; take a longer "
                "interval or a shorter range",
                "interval",
            )
    bounds.append(max(end_us, start_us))
    return tuple(bounds)


def _edges_after(start_us: int, interval: Interval, zone: ZoneInfo) -> Iterator[int]:
    if interval == "none":
        return iter(())
    if interval == "hour":
        return _hours_after(start_us, zone)
    local_day = from_us(start_us).astimezone(zone).date()
    step: Callable[[date], date] = {
        "day": lambda day: day + timedelta(days=1),
        "week": lambda day: day + timedelta(days=7 - day.weekday()),
        "month": _next_month,
    }[interval]
    return _midnights(local_day, step, zone)


def _hours_after(instant_us: int, zone: ZoneInfo) -> Iterator[int]:
    """Starts of local hours. Stepping in real time: the hour that happens twice is two buckets."""
    while True:
        offset = from_us(instant_us).astimezone(zone).utcoffset() or timedelta()
        offset_us = offset // timedelta(microseconds=1)
        into_hour_us = (instant_us + offset_us) % MICROSECONDS_PER_HOUR
        instant_us += MICROSECONDS_PER_HOUR - into_hour_us
        yield instant_us


def _midnights(day: date, step: Callable[[date], date], zone: ZoneInfo) -> Iterator[int]:
    while True:
        try:
            day = step(day)
        except (OverflowError, ValueError):  # the calendar ends in 9999
            return
        # At a midnight that does not exist, fold=0 gives the instant of the clock change: right.
        yield to_us(datetime.combine(day, time.min, zone))


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def iso_in_zone(instant_us: int, zone: ZoneInfo) -> str:
    """ISO 8601 with the zone's offset at that instant; `Z` where it is UTC."""
    moment = from_us(instant_us).astimezone(zone)
    if moment.utcoffset() == timedelta():
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return moment.isoformat()
