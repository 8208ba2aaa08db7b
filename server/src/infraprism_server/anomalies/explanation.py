"""An anomaly in words that a finance person understands."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from infraprism_server.clock import MICROSECONDS_PER_HOUR, from_us
from infraprism_server.money import decimal_from_pico, divide_half_even


def severity_of(half_widths: str) -> Literal["low", "medium", "high"]:
    """From how many half-widths of the band above the expected it is; 1 is the edge."""
    value = Decimal(half_widths)
    return "high" if value >= 3 else "medium" if value >= Decimal("1.5") else "low"


def impact_percent(actual_pico: int, expected_pico: int) -> Decimal | None:
    """How much more than expected, to a tenth of a percent."""
    if expected_pico <= 0:
        return None
    return Decimal(divide_half_even((actual_pico - expected_pico) * 1000, expected_pico)) / 10


def explain(
    *,
    kind: str,
    name: str,
    start_us: int,
    end_us: int,
    actual_pico: int,
    expected_pico: int,
    lower_pico: int,
    upper_pico: int,
    first_contributor: str | None,
) -> str:
    """Two or three sentences: what was spent, what is usual, where it came from."""
    hours = (end_us - start_us) // MICROSECONDS_PER_HOUR
    until = from_us(end_us).strftime("%Y-%m-%d %H:%M UTC")
    span = "hour" if hours == 1 else "7 days" if hours == 168 else f"{hours} hours"
    percent = impact_percent(actual_pico, expected_pico)
    more = "" if percent is None else f" ({percent.quantize(Decimal(1)):f} %)"
    spent = f"{name} spent {dollars(actual_pico)} in the {span} until {until}"
    excess = f"{dollars(actual_pico - expected_pico)}{more} more"
    if kind == "drift":
        told = f"{spent}, {excess} than a usual week of the four before ({dollars(expected_pico)})."
    elif kind == "new_entity":
        told = (
            f"{spent}, its first. The first day of others usually costs {dollars(expected_pico)}"
            f" and hardly ever more than {dollars(upper_pico)}."
        )
    else:
        told = (
            f"{spent}, {excess} than usual at this time ({dollars(expected_pico)};"
            f" {dollars(lower_pico)} to {dollars(upper_pico)} would be ordinary)."
        )
    return (
        told if first_contributor is None else f"{told} Most of it came from {first_contributor}."
    )


def dollars(pico: int) -> str:
    """$1,234.50; below a cent, the digits that matter."""
    amount = decimal_from_pico(pico)
    places = (
        Decimal("0.01") if abs(amount) >= Decimal("0.01") or not amount else Decimal("0.000001")
    )
    return f"${amount.quantize(places):,f}"
