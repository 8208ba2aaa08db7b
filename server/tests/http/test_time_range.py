"""What dates in a query mean."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, iso_utc, to_us
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.time_range import parse_range, zone_named

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def test_a_plain_end_date_means_through_the_end_of_that_day() -> None:
    span = parse_range("2025-01-01", "2025-01-31", UTC)
    assert (span.start_us, span.end_us) == (at("2025-01-01T00:00Z"), at("2025-02-01T00:00Z"))


def test_one_day_is_a_range() -> None:
    span = parse_range("2025-01-15", "2025-01-15", UTC)
    assert span.start_us is not None
    assert span.end_us == span.start_us + MICROSECONDS_PER_DAY


def test_an_instant_as_end_is_exclusive_and_keeps_its_own_offset() -> None:
    span = parse_range(None, "2025-01-15T10:30:00+02:00", BERLIN)
    assert span.end_us == at("2025-01-15T08:30:00Z")


def test_naive_dates_are_read_in_the_zone_over_clock_changes() -> None:
    span = parse_range("2025-03-30", "2025-03-30", BERLIN)
    assert span.start_us is not None
    assert span.end_us is not None
    assert span.end_us - span.start_us == 23 * MICROSECONDS_PER_HOUR
    assert parse_range("2025-07-01T12:00", None, BERLIN).start_us == at("2025-07-01T10:00Z")


def test_a_plus_that_became_a_space_is_read_as_a_plus() -> None:
    span = parse_range("2025-01-15T10:30:00 02:00", None, UTC)
    assert span.start_us == at("2025-01-15T10:30:00+02:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-13-01",
        "2025-02-30",
        "20250101",
        "2025-W01-1",
        "2025-01-15T25:00",
        "2025-01-15T10",
        "2025-01-15T10:30:00.1234567Z",
        "2025-1-5",
        "٢٠٢٥-٠١-٠١",
        "2025-01-15\n",
    ],
)
def test_what_is_not_a_date_names_the_parameter(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_range(None, text, UTC)
    assert caught.value.param == "end_date"


def test_start_after_end_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_range("2025-01-02", "2025-01-01", UTC)
    assert caught.value.param == "start_date"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_can_be_told_back(zone: str, day: str) -> None:
    """The first midnight of the calendar east of Greenwich is in no year of UTC."""
    span = parse_range(day, day, ZoneInfo(zone))
    assert span.start_us is not None
    assert span.end_us is not None
    assert span.start_us < span.end_us
    assert day[:4] in {iso_utc(span.start_us)[:4], iso_utc(span.end_us)[:4]}


def test_the_ends_of_the_calendar_do_not_overflow() -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        span = parse_range("0001-01-01", "9999-12-31", ZoneInfo(zone))
        assert span.start_us is not None
        assert span.end_us is not None
        assert span.start_us < span.end_us


@given(st.text(max_size=45))
def test_any_text_is_a_date_or_a_named_error(text: str) -> None:
    try:
        parse_range(text, None, BERLIN)
    except InvalidRequest as error:
        assert error.param == "start_date"


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe", "Europe/Berlin\x00"]
)
def test_unknown_time_zones_are_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        zone_named(name)
    assert caught.value.param == "timezone"
