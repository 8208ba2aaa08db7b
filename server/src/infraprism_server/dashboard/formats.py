"""Numbers and times for people: few digits to read, the exact value beside them."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from infraprism_server.clock import from_us
from infraprism_server.money import PICO_PER_DOLLAR, decimal_from_pico

_SHORT = ((10**12, "T"), (10**9, "B"), (10**6, "M"))
_AGO = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
MAX_DAYS_AGO = 30


def money(pico: int) -> str:
    """$1,234.56; below a dollar two digits that count: $0.15, $0.0054."""
    amount = decimal_from_pico(pico)
    if pico == 0 or abs(pico) >= PICO_PER_DOLLAR:
        return _signed(amount, f"{abs(amount):,.2f}")
    # adjusted() is the place of the first digit that is not zero.
    places = max(2, 1 - amount.adjusted())
    rounded = abs(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return _signed(amount, format(rounded, "f"))


def price(amount: Decimal) -> str:
    """All digits there are, at least two after the point: 0.40, 2.125."""
    normal = amount.normalize()
    places = max(2, -int(normal.as_tuple().exponent))
    return f"{normal:,.{places}f}"


def exact_money(pico: int) -> str:
    """All digits there are: $0.005375."""
    amount = decimal_from_pico(pico)
    return _signed(amount, f"{abs(amount):,f}")


def plain_money(pico: int) -> str:
    """The number alone, for machines: 0.005375."""
    return format(decimal_from_pico(pico), "f")


def count(number: int) -> str:
    """1,234 in full, 1.23 M from a million on."""
    for size, letter in _SHORT:
        if abs(number) >= size:
            return f"{number / size:.2f} {letter}"
    return f"{number:,}"


def exact_count(number: int) -> str:
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """A share with one digit after the point; a dash where there is no whole."""
    if whole == 0:
        return "–"
    if part == 0:
        return "0 %"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1 %"
    return "100 %" if part == whole else f"{share:.1f} %"


def change(now: int, before: int) -> str | None:
    """+12 % against the time before; None where there was nothing to compare with."""
    if before == 0:
        return None
    share = 100 * (now - before) / abs(before)
    if abs(share) >= 1_000:
        return f"×{now / before:,.0f}"
    text = f"{share:+.0f} %".replace("-", "−")
    return "0 %" if text[1:] == "0 %" else text


def file_size(size_bytes: int) -> str:
    """812 bytes, 1.4 MB: in powers of a thousand, as file managers count."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}"
    return f"{size_bytes} bytes"


def milliseconds(value: int | None) -> str:
    """840 ms, 2.4 s, or a dash where no call told."""
    if value is None:
        return "–"
    return f"{value:,} ms" if value < 1_000 else f"{value / 1_000:,.1f} s"


def ago(instant_us: int, now_us: int) -> str:
    """How long ago in one word and number; a date when that is long."""
    seconds = (now_us - instant_us) // 1_000_000
    if seconds < -5:  # nearer it is the clock of this page that is behind
        return f"in {_length(-seconds)}"
    if seconds < 60:
        return "just now"
    if seconds >= MAX_DAYS_AGO * 86_400:
        return from_us(instant_us).strftime("%-d %b %Y")
    return f"{_length(seconds)} ago"


def short_time(instant_us: int, zone: ZoneInfo, now_us: int) -> str:
    """12:00:05 today, 25 Nov 12:00:05 this year, 25 Nov 2024 12:00 before."""
    moment, now = (from_us(us).astimezone(zone) for us in (instant_us, now_us))
    if moment.date() == now.date():
        return f"{moment:%H:%M:%S}"
    return f"{moment:%-d %b %H:%M:%S}" if moment.year == now.year else f"{moment:%-d %b %Y %H:%M}"


def exact_time(instant_us: int, zone: ZoneInfo) -> str:
    """2026-03-01 12:00:00 CET."""
    moment = from_us(instant_us).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname() or _offset(moment.utcoffset())}"


def between(start_us: int, end_us: int, zone: ZoneInfo) -> str:
    """Thu 26 Nov 2026, 13:00 – 19:00, or with the day again where that is another."""
    start, end = from_us(start_us).astimezone(zone), from_us(end_us).astimezone(zone)
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%a %-d %b %Y, %H:%M}"
    return f"{start:%a %-d %b %Y, %H:%M} – {until}"


def _offset(offset: timedelta | None) -> str:
    minutes = int((offset or timedelta()).total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _length(seconds: int) -> str:
    for size, name in _AGO:
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def _signed(amount: Decimal, digits: str) -> str:
    return f"−${digits}" if amount < 0 else f"${digits}"
