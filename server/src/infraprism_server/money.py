"""Money as integers: one unit is a pico-dollar, 1e-12 dollars. No float ever touches it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, localcontext

PICO_PER_DOLLAR = 1_000_000_000_000
MAX_EVENT_COST_PICO = 1_000_000 * PICO_PER_DOLLAR
"""A million dollars for one call: beyond it an amount is a mistake, and 64 bits hold it easily."""

_PICO = Decimal(1).scaleb(-12)


def pico_from_decimal(amount: Decimal) -> int:
    """The pico-dollars of an amount in dollars. ValueError unless they are a whole number."""
    if not amount.is_finite():
        raise ValueError("not a finite amount")
    with localcontext(prec=60):
        try:
            scaled = amount.scaleb(12)
        except InvalidOperation as error:
            raise ValueError("not a representable amount") from error
        if scaled != scaled.to_integral_value():
            raise ValueError("more than 12 decimals")
        return int(scaled)


def decimal_from_pico(pico: int) -> Decimal:
    """Dollars, exactly, without trailing zeros and without an exponent."""
    with localcontext(prec=60):
        amount = Decimal(pico).scaleb(-12)
        normal = amount.normalize()
    return normal if normal.as_tuple().exponent <= 0 else normal.quantize(Decimal(1))  # type: ignore[operator]


def divide_half_even(numerator: int, denominator: int) -> int:
    """The quotient of two integers (denominator > 0), rounded half to even."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient
