"""What dates in a query mean: which instants a range covers in which time zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.clock import to_us
from infraprism_server.errors import InvalidRequest

DATE_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[-+ ][0-9]{2}:[0-9]{2})?)?$"
)
_DATE = re.compile(DATE_PATTERN)
_EARLIEST_US = to_us(datetime.min.replace(tzinfo=UTC))
_LATEST_US = to_us(datetime.max.replace(tzinfo=UTC))
"""What can be written as an instant of UTC: beyond it there is only the first or last midnight of
the calendar in some zone, and never an event."""

QueryDate = Annotated[
    str,
    msgspec.Meta(
        max_length=40,
        description="ISO 8601: a date, a time without an offset (both read in `timezone`), or an "
        "instant. An end date that is a plain date means through the end of that day; as a time it "
        "is exclusive.",
        examples=["2025-01-15", "2025-01-15T10:30:00Z"],
        extra_json_schema={"anyOf": [{"format": "date"}, {"format": "date-time"}]},
    ),
]
ZoneName = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        description="IANA time zone that dates are read in. Default: the account's.",
        examples=["Europe/Berlin"],
    ),
]


class TimeRange(msgspec.Struct, frozen=True):
    """Instants in microseconds: start inclusive, end exclusive; None is open."""

    start_us: int | None
    end_us: int | None


def zone_named(name: str, param: str = "timezone") -> ZoneInfo:
    """The IANA time zone. InvalidRequest naming `param` when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidRequest(
            f"Unknown time zone '{name[:64]}'; use an IANA name such as Europe/Berlin", param
        ) from None


def parse_range(start_date: str | None, end_date: str | None, zone: ZoneInfo) -> TimeRange:
    """The instants between two query dates. InvalidRequest when they make none."""
    start_us = None if start_date is None else _instant(start_date, zone, "start_date", end=False)
    end_us = None if end_date is None else _instant(end_date, zone, "end_date", end=True)
    # An empty range between two equal instants is fine; a day that starts as it ends is not.
    if (
        start_us is not None
        and end_us is not None
        and (start_us > end_us or (start_us == end_us and len(end_date or "") == 10))
    ):
        raise InvalidRequest("'start_date' is after 'end_date'", "start_date")
    return TimeRange(start_us, end_us)


def _instant(text: str, zone: ZoneInfo, param: str, *, end: bool) -> int:
    return min(max(_EARLIEST_US, _local_instant(text, zone, param, end=end)), _LATEST_US)


def _local_instant(text: str, zone: ZoneInfo, param: str, *, end: bool) -> int:
    if _DATE.match(text) is None:
        raise _unreadable(param)
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            if end:
                if day == date.max:
                    return _LATEST_US
                day += timedelta(days=1)
            return to_us(datetime.combine(day, time.min, zone))
        if text[-6] == " ":  # a `+` that was not percent-encoded arrives as a space
            text = f"{text[:-6]}+{text[-5:]}"
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(param) from None
    return to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=zone))


def _unreadable(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{param}' is not an ISO 8601 date such as 2025-01-15 or 2025-01-15T10:30:00Z", param
    )
