"""Revenue over a span of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.clock import to_us
from infraprism_server.entities.margin import revenue_pico
from infraprism_server.money import PICO_PER_DOLLAR

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=BERLIN))


def test_a_calendar_month_is_one_monthly_revenue_whatever_its_length() -> None:
    for start, end in (("2025-02-01", "2025-03-01"), ("2025-03-01", "2025-04-01")):
        assert revenue_pico(Decimal(299), at(start), at(end), BERLIN) == 299 * PICO_PER_DOLLAR


def test_a_year_is_twelve() -> None:
    total = revenue_pico(Decimal("99.99"), at("2024-06-01"), at("2025-06-01"), BERLIN)
    assert total == 12 * 9999 * PICO_PER_DOLLAR // 100


def test_half_of_april_is_half() -> None:
    assert (
        revenue_pico(Decimal(30), at("2025-04-01"), at("2025-04-16"), BERLIN)
        == 15 * PICO_PER_DOLLAR
    )


def test_nothing_before_the_start() -> None:
    assert revenue_pico(Decimal(30), at("2025-04-02"), at("2025-04-01"), BERLIN) == 0


@given(
    start=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    first=st.integers(0, 10**8),
    second=st.integers(0, 10**8),
)
def test_two_spans_add_up_to_the_whole(start: datetime, first: int, second: int) -> None:
    begin = to_us(start)
    middle = to_us(start + timedelta(seconds=first))
    end = to_us(start + timedelta(seconds=first + second))
    parts = revenue_pico(Decimal(100), begin, middle, BERLIN) + revenue_pico(
        Decimal(100), middle, end, BERLIN
    )
    assert abs(parts - revenue_pico(Decimal(100), begin, end, BERLIN)) <= 1
