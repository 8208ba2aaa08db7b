"""The range of time a page is about: presets and dates in a zone, and the span before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.clock import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_HOUR,
    from_us,
    iso_utc,
    to_us,
)
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.time_range import parse_range
from infraprism_server.http.wire import invalid_request_from
from infraprism_server.usage.interval import Interval
from infraprism_server.usage.schemas import UsageQueryIn

PRESETS = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "last-week": "Last week",
    "month": "This month",
    "last-month": "Last month",
}
DEFAULT = "7d"
ROWS = 10_000
"""Most rows of one question: groups times intervals."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Instants, start inclusive and end exclusive, and the span before to compare with."""

    preset: str
    """One of PRESETS, or empty for a range of the person's own."""
    start_us: int
    end_us: int
    before_start_us: int
    before_end_us: int
    zone: ZoneInfo
    address: dict[str, str]
    """What the address of a page says of this span."""

    @property
    def title(self) -> str:
        """The range in words."""
        if self.preset:
            return PRESETS[self.preset]
        first = from_us(self.start_us).astimezone(self.zone)
        last = from_us(max(self.start_us, self.end_us - 1)).astimezone(self.zone)
        return f"{first:%-d %b %Y} – {last:%-d %b %Y}"

    @property
    def words(self) -> str:
        """The range in words, with its dates and zone."""
        if not self.preset:
            return f"{self.title}, {self.zone.key}"
        first = from_us(self.start_us).astimezone(self.zone)
        last = from_us(max(self.start_us, self.end_us - 1)).astimezone(self.zone)
        same_year = first.year == last.year
        start = f"{first:%-d %b}" if same_year else f"{first:%-d %b %Y}"
        return f"{start} – {last:%-d %b %Y}, {self.zone.key}"

    @property
    def address_elsewhere(self) -> dict[str, str]:
        """The same for a page whose default is another preset."""
        return {"range": self.preset} if self.preset else self.address

    def interval(self) -> Interval:
        """Buckets that a chart can show: at most about a hundred."""
        length = self.end_us - self.start_us
        if length <= 2 * MICROSECONDS_PER_DAY + 2 * MICROSECONDS_PER_HOUR:
            return "hour"
        if length <= 100 * MICROSECONDS_PER_DAY:
            return "day"
        return "week" if length <= 730 * MICROSECONDS_PER_DAY else "month"

    def question(self, **parts: Any) -> UsageQueryIn:  # noqa: ANN401 - the query's own fields
        """A usage query over this span. InvalidRequest for parts that are none."""
        return usage_question(self.start_us, self.end_us, self.zone, **parts)

    def question_before(self, **parts: Any) -> UsageQueryIn:  # noqa: ANN401
        """The same over the span before, to the minute: soon it is asked again."""
        minute = 60_000_000
        end_us = self.before_end_us - self.before_end_us % minute
        start_us = self.before_start_us - self.before_start_us % minute
        return usage_question(start_us, max(end_us, start_us), self.zone, **parts)


def usage_question(
    start_us: int,
    end_us: int,
    zone: ZoneInfo,
    **parts: Any,  # noqa: ANN401
) -> UsageQueryIn:
    """A usage query between two instants; what an address said is checked as the API does."""
    limit = parts.pop("limit", ROWS)
    given = {name: value for name, value in parts.items() if value not in (None, "")}
    try:
        query = msgspec.convert(
            {
                "start_date": iso_utc(start_us),
                "end_date": iso_utc(end_us),
                "timezone": zone.key,
                **given,
            },
            UsageQueryIn,
            strict=False,
        )
    except msgspec.ValidationError as error:
        raise invalid_request_from(error) from None
    return msgspec.structs.replace(query, limit=limit)


def span_of(
    preset: str, start: str, end: str, *, zone: ZoneInfo, now_us: int, default: str = DEFAULT
) -> Span:
    """The span an address names. InvalidRequest for one that can not be read."""
    if start or end:
        return _own(start, end, zone, now_us)
    preset = preset or default
    if preset not in PRESETS:
        raise InvalidRequest(f"'range' is one of {', '.join(PRESETS)}", "range")
    start_us, end_us, before_start_us, before_end_us = _edges(preset, zone, now_us)
    return Span(
        preset=preset,
        start_us=start_us,
        end_us=end_us,
        before_start_us=before_start_us,
        before_end_us=before_end_us,
        zone=zone,
        address={} if preset == default else {"range": preset},
    )


def month_around(zone: ZoneInfo, now_us: int) -> tuple[int, int]:
    """First instant of this month and of the next."""
    today = from_us(now_us).astimezone(zone).date()
    first = today.replace(day=1)
    return _midnight(first, zone), _midnight(_month_after(first), zone)


def midnight_us(zone: ZoneInfo, now_us: int, days_ago: int = 0) -> int:
    """When the local day began, this or an earlier one."""
    return _midnight(from_us(now_us).astimezone(zone).date() - timedelta(days=days_ago), zone)


def bucket_label(start_us: int, interval: str, zone: ZoneInfo) -> dict[str, str]:
    """An interval's start: `label` is short for an axis, `full` is not."""
    moment = from_us(start_us).astimezone(zone)
    if interval == "hour":
        return {"label": f"{moment:%-d %b %H:%M}", "full": f"{moment:%a %-d %b %Y, %H:%M}"}
    if interval == "month":
        return {"label": f"{moment:%b %Y}", "full": f"{moment:%B %Y}"}
    week = "week of " if interval == "week" else ""
    return {"label": f"{moment:%-d %b}", "full": f"{week}{moment:%a %-d %b %Y}"}


def bucket_days(start_us: int, end_us: int, interval: str, zone: ZoneInfo) -> dict[str, str]:
    """`start` and `end` of an address that shows the interval alone; none for an hour."""
    if interval == "hour":
        return {}
    first = from_us(start_us).astimezone(zone).date()
    last = from_us(max(start_us, end_us - 1)).astimezone(zone).date()
    return {"start": first.isoformat(), "end": last.isoformat()}


def _edges(preset: str, zone: ZoneInfo, now_us: int) -> tuple[int, int, int, int]:
    if preset == "24h":
        length = MICROSECONDS_PER_DAY
        return now_us - length, now_us, now_us - 2 * length, now_us - length
    if preset == "last-week":
        # From Monday to Sunday, as the API's weeks.
        past = from_us(now_us).astimezone(zone).weekday() + 7
        start_us, end_us = (midnight_us(zone, now_us, days) for days in (past, past - 7))
        return start_us, end_us, midnight_us(zone, now_us, past + 7), start_us
    if preset in ("month", "last-month"):
        today = from_us(now_us).astimezone(zone).date()
        first = today.replace(day=1)
        if preset == "last-month":
            first = (first - timedelta(days=1)).replace(day=1)
        former = (first - timedelta(days=1)).replace(day=1)
        start_us = _midnight(first, zone)
        end_us = now_us if preset == "month" else _midnight(_month_after(first), zone)
        before_us = _midnight(former, zone)
        before_end_us = min(before_us + (end_us - start_us), start_us)
        return start_us, end_us, before_us, start_us if preset != "month" else before_end_us
    days = int(preset.removesuffix("d"))
    start_us, before_us = (midnight_us(zone, now_us, days * n - 1) for n in (1, 2))
    return start_us, now_us, before_us, before_us + (now_us - start_us)


def _own(start: str, end: str, zone: ZoneInfo, now_us: int) -> Span:
    span = parse_range(start or None, end or None, zone)
    end_us = now_us if span.end_us is None else span.end_us
    start_us = end_us - 7 * MICROSECONDS_PER_DAY if span.start_us is None else span.start_us
    start_us = max(start_us, 0)
    if end_us <= start_us:
        raise InvalidRequest("The range is empty: its end is not after its start", "end")
    return Span(
        preset="",
        start_us=start_us,
        end_us=end_us,
        before_start_us=max(0, 2 * start_us - end_us),
        before_end_us=start_us,
        zone=zone,
        address={name: text for name, text in (("start", start), ("end", end)) if text},
    )


def _midnight(day: date, zone: ZoneInfo) -> int:
    return to_us(datetime.combine(day, time.min, zone).astimezone(UTC))


def _month_after(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
