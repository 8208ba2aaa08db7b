"""Periods of a limit in a time zone: which one an instant is in, and when the next begins.

Periods of a kind are adjacent, so every instant is in exactly one: a day with a clock change is
23 or 25 hours long, an hour that happens twice is two periods.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from infraprism_server.clock import MICROSECONDS_PER_HOUR, from_us, to_us

PeriodKind: TypeAlias = Literal["hour", "day", "week", "month", "total"]

END_OF_TIME_US: Final = 253_402_300_800_000_000
"""The first instant after the year 9999: where the only period of kind `total` ends."""


class Period(NamedTuple):
    """Microseconds: start inclusive, end exclusive."""

    start_us: int
    end_us: int


def period_at(instant_us: int, kind: PeriodKind, zone: ZoneInfo) -> Period:
    """The period an instant is in."""
    if kind == "total":
        return Period(0, END_OF_TIME_US)
    if kind == "hour":
        return _hour_at(instant_us, zone)
    day = _first_day(from_us(instant_us).astimezone(zone).date(), kind)
    start_us = _midnight_us(day, zone)
    while True:
        day = _next(day, kind)
        end_us = _midnight_us(day, zone)
        # A clock set back over midnight shows the evening before once more; and a zone that
        # skips a day has two midnights at one instant.
        if instant_us < end_us:
            return Period(start_us, end_us)
        start_us = end_us


def resets_at_us(period: Period) -> int | None:
    """When spending starts anew; None: never."""
    return None if period.end_us == END_OF_TIME_US else period.end_us


def edges_between(from_us: int, to_us: int, kind: PeriodKind, zone: ZoneInfo) -> list[int]:
    """Ascending edges of the adjacent periods that cover both instants and all between."""
    period = period_at(from_us, kind, zone)
    edges = [period.start_us, period.end_us]
    while edges[-1] <= to_us:
        edges.append(period_at(edges[-1], kind, zone).end_us)
    return edges


def _first_day(day: date, kind: PeriodKind) -> date:
    if kind == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind == "month" else day


def _next(day: date, kind: PeriodKind) -> date:
    if kind == "month":
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=7 if kind == "week" else 1)


def _midnight_us(day: date, zone: ZoneInfo) -> int:
    # At a midnight that does not exist, fold=0 gives the instant of the clock change: right.
    return to_us(datetime.combine(day, time.min, zone))


def _hour_at(instant_us: int, zone: ZoneInfo) -> Period:
    offset_us = _offset_us(instant_us, zone)
    into_us = (instant_us + offset_us) % MICROSECONDS_PER_HOUR
    start_us = instant_us - into_us
    end_us = start_us + MICROSECONDS_PER_HOUR
    # The clock may be set inside the hour (by 30 minutes, on Lord Howe): it ends or begins there.
    if _offset_us(start_us, zone) != offset_us:
        start_us = _change_us(start_us, instant_us, zone)
    if _offset_us(end_us - 1, zone) != offset_us:
        end_us = _change_us(instant_us, end_us - 1, zone)
    return Period(start_us, end_us)


def _offset_us(instant_us: int, zone: ZoneInfo) -> int:
    offset = from_us(instant_us).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(microseconds=1)


def _change_us(before_us: int, after_us: int, zone: ZoneInfo) -> int:
    """The first instant with the offset that holds at `after_us`."""
    wanted = _offset_us(after_us, zone)
    while after_us - before_us > 1:
        middle_us = (before_us + after_us) // 2
        if _offset_us(middle_us, zone) == wanted:
            after_us = middle_us
        else:
            before_us = middle_us
    return after_us
