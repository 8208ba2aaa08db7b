"""Calendar buckets: adjacent, whole, and right over clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.clock import MICROSECONDS_PER_HOUR, to_us
from infraprism_server.errors import InvalidRequest
from infraprism_server.usage.interval import bounds_of, iso_in_zone

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
]


def us(text: str, zone: ZoneInfo) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=zone))


def hours(bounds: tuple[int, ...]) -> list[float]:
    return [(b - a) / MICROSECONDS_PER_HOUR for a, b in pairwise(bounds)]


def test_days_over_the_spring_change_have_23_hours() -> None:
    bounds = bounds_of(us("2025-03-29", BERLIN), us("2025-04-01", BERLIN), "day", BERLIN)
    assert hours(bounds) == [24, 23, 24]


def test_days_over_the_autumn_change_have_25_hours() -> None:
    bounds = bounds_of(us("2025-10-25", BERLIN), us("2025-10-28", BERLIN), "day", BERLIN)
    assert hours(bounds) == [24, 25, 24]


def test_the_hour_that_happens_twice_is_two_buckets() -> None:
    bounds = bounds_of(us("2025-10-26", BERLIN), us("2025-10-27", BERLIN), "hour", BERLIN)
    assert hours(bounds) == [1.0] * 25
    starts = [iso_in_zone(at, BERLIN) for at in bounds[2:4]]
    assert starts == ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"]


def test_hours_of_a_half_hour_zone_start_at_its_own_full_hour() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    bounds = bounds_of(us("2025-01-01", kolkata), us("2025-01-02", kolkata), "hour", kolkata)
    assert hours(bounds) == [1.0] * 24


def test_weeks_start_on_monday_and_the_first_is_cut_at_the_range() -> None:
    bounds = bounds_of(us("2025-01-01", UTC_ZONE), us("2025-01-15", UTC_ZONE), "week", UTC_ZONE)
    assert hours(bounds) == [5 * 24, 7 * 24, 2 * 24]


def test_months_have_their_own_lengths_over_a_year_end() -> None:
    bounds = bounds_of(us("2024-12-15", UTC_ZONE), us("2025-03-01", UTC_ZONE), "month", UTC_ZONE)
    assert hours(bounds) == [17 * 24, 31 * 24, 28 * 24]


def test_a_day_that_a_zone_skipped_is_no_bucket() -> None:
    apia = ZoneInfo("Pacific/Apia")
    bounds = bounds_of(us("2011-12-29", apia), us("2012-01-01", apia), "day", apia)
    assert hours(bounds) == [24, 24]


def test_an_empty_range_is_one_empty_bucket() -> None:
    assert bounds_of(5, 5, "day", BERLIN) == (5, 5)


def test_too_many_intervals_name_the_interval() -> None:
    start = us("2000-01-01", UTC_ZONE)
    with pytest.raises(InvalidRequest) as caught:
        bounds_of(start, us("2025-01-01", UTC_ZONE), "hour", UTC_ZONE)
    assert caught.value.param == "interval"


@given(
    start=st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    days=st.integers(0, 400),
    seconds=st.integers(0, 86_399),
    interval=st.sampled_from(["hour", "day", "week", "month", "none"]),
    zone=st.sampled_from(ZONES),
)
def test_buckets_are_adjacent_and_cover_the_range(
    start: datetime, days: int, seconds: int, interval: str, zone: str
) -> None:
    end = start + timedelta(days=days, seconds=seconds)
    bounds = bounds_of(to_us(start), to_us(end), interval, ZoneInfo(zone))  # type: ignore[arg-type]
    assert bounds[0] == to_us(start)
    assert bounds[-1] == to_us(end)
    inner = bounds[1:-1]
    assert all(a < b for a, b in zip(bounds, inner, strict=False))
    for edge in inner:
        local = iso_in_zone(edge, ZoneInfo(zone))
        if interval in ("day", "week", "month"):
            # Local midnight, or the first instant of a day whose midnight does not exist.
            assert "T00:00:00" in local or "T01:00:00" in local or "T00:30:00" in local


UTC_ZONE = ZoneInfo("UTC")
