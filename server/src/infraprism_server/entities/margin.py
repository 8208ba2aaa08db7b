"""Margin: what an entity brings beside what it costs, over the same span of time."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from infraprism_server.clock import from_us, to_us
from infraprism_server.money import divide_half_even, pico_from_decimal


def revenue_pico(monthly_usd: Decimal, start_us: int, end_us: int, zone: ZoneInfo) -> int:
    """The revenue of a span, pico-dollars: each calendar month of the zone counts by its share.

    A span of whole months is exactly so many monthly revenues; rounded half-even at the end.
    """
    share = Fraction(0)
    edge_us = start_us
    while edge_us < end_us:
        local = from_us(edge_us).astimezone(zone)
        month_start_us = to_us(datetime(local.year, local.month, 1, tzinfo=zone))
        month_end_us = to_us(
            datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=zone)
        )
        upto_us = min(end_us, month_end_us)
        share += Fraction(upto_us - edge_us, month_end_us - month_start_us)
        edge_us = upto_us
    total = share * pico_from_decimal(monthly_usd)
    return divide_half_even(total.numerator, total.denominator)
