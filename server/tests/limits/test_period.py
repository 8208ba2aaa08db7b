"""Periods of a limit: adjacent, one for each instant, days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.clock import MICROSECONDS_PER_HOUR, to_us
from infraprism_server.limits.period import (
    END_OF_TIME_US,
    PeriodKind,
    edges_between,
    period_at,
    resets_at_us,
)

KINDS: list[PeriodKind] = ["hour", "day", "week", "month"]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Cairo",
    "Atlantic/Azores",
]
YEARS_1990_TO_2040 = st.integers(631_152_000_000_000, 2_208_988_800_000_000)


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("instant", "kind", "zone", "start", "end"),
    [
        ("2026-03-29T12:00Z", "day", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("2026-10-25T12:00Z", "day", "Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("2026-03-01T12:00Z", "day", "Asia/Kathmandu", "2026-02-28T18:15Z", "2026-03-01T18:15Z"),
        ("2026-03-01T12:00Z", "week", "UTC", "2026-02-23T00:00Z", "2026-03-02T00:00Z"),
        ("2026-12-31T23:30Z", "month", "UTC", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        (
            "2026-12-31T23:30Z",
            "month",
            "Europe/Berlin",
            "2026-12-31T23:00Z",
            "2027-01-31T23:00Z",
        ),
        ("2026-10-25T01:30Z", "hour", "Europe/Berlin", "2026-10-25T01:00Z", "2026-10-25T02:00Z"),
        # The clock of Lord Howe goes back by 30 minutes at 15:00 UTC: that hour is cut there.
        (
            "2026-04-04T15:10Z",
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T15:00Z",
            "2026-04-04T15:30Z",
        ),
        # Samoa had no 30 December 2011.
        ("2011-12-30T12:00Z", "day", "Pacific/Apia", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
    ],
)
def test_the_period_of_an_instant(
    instant: str, kind: PeriodKind, zone: str, start: str, end: str
) -> None:
    assert period_at(us(instant), kind, ZoneInfo(zone)) == (us(start), us(end))


@given(YEARS_1990_TO_2040, st.sampled_from(KINDS), st.sampled_from(ZONES))
def test_an_instant_is_in_its_period_and_periods_are_adjacent(
    instant_us: int, kind: PeriodKind, zone: str
) -> None:
    place = ZoneInfo(zone)
    period = period_at(instant_us, kind, place)
    assert period.start_us <= instant_us < period.end_us
    assert period_at(period.start_us, kind, place) == period
    assert period_at(period.end_us - 1, kind, place) == period
    assert period_at(period.end_us, kind, place).start_us == period.end_us
    longest = {"hour": 1, "day": 25, "week": 8 * 24, "month": 32 * 24}[kind]
    assert period.end_us - period.start_us <= longest * MICROSECONDS_PER_HOUR


@given(YEARS_1990_TO_2040, st.sampled_from(["day", "week", "month"]), st.sampled_from(ZONES))
def test_a_period_begins_at_a_local_midnight_or_where_the_clock_skipped_it(
    instant_us: int, kind: PeriodKind, zone: str
) -> None:
    place = ZoneInfo(zone)
    start_us = period_at(instant_us, kind, place).start_us
    start = datetime.fromtimestamp(start_us // 1_000_000, UTC).astimezone(place)
    before = datetime.fromtimestamp(start_us // 1_000_000 - 1, UTC).astimezone(place)
    assert (start.hour, start.minute) == (0, 0) or start.utcoffset() != before.utcoffset()


def test_a_total_never_resets() -> None:
    period = period_at(us("2026-03-01T12:00Z"), "total", ZoneInfo("UTC"))
    assert period == (0, END_OF_TIME_US)
    assert resets_at_us(period) is None


def test_edges_cover_both_ends() -> None:
    edges = edges_between(
        us("2026-10-24T12:00Z"), us("2026-10-26T12:00Z"), "day", ZoneInfo("Europe/Berlin")
    )
    hours = [(b - a) // MICROSECONDS_PER_HOUR for a, b in pairwise(edges)]
    assert hours == [24, 25, 24]
