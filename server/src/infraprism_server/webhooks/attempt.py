"""When a delivery is tried again, and what an attempt came to. Pure rules."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal

import msgspec

from infraprism_server.clock import (
    MICROSECONDS_PER_DAY,
    MICROSECONDS_PER_SECOND,
    from_us,
    to_us,
)

DELAYS_SECONDS: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before each of the ten attempts, counted from the one before it."""
MAX_ATTEMPTS: Final = len(DELAYS_SECONDS)
JITTER: Final = 0.1
"""A delay is up to this much longer or shorter, so that what failed together is spread."""
MAX_RETRY_AFTER_US: Final = MICROSECONDS_PER_DAY
DISABLE_AFTER_US: Final = 5 * MICROSECONDS_PER_DAY
GONE: Final = 410

DeliveryStatus = Literal["pending", "delivered", "failed"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try to deliver. Without an answer `status_code` is None and `error` says why."""

    started_at_us: int
    duration_ms: int
    status_code: int | None = None
    error: str | None = None
    response_excerpt: str | None = None
    retry_after: str | None = None
    """The header as it came."""

    @property
    def succeeded(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


def next_attempt_us(made: int, attempt: Attempt, ended_at_us: int, chance: float) -> int | None:
    """When the next attempt is due after `made` failed ones; None after the last.

    `chance` in [0, 1) is the jitter. A Retry-After is waited for where it is longer.
    """
    if made >= MAX_ATTEMPTS:
        return None
    delay_us = DELAYS_SECONDS[made] * MICROSECONDS_PER_SECOND
    due_us = ended_at_us + int(delay_us * (1 + JITTER * (2 * chance - 1)))
    return max(due_us, ended_at_us + retry_after_us(attempt.retry_after, ended_at_us))


def retry_after_us(header: str | None, now_us: int) -> int:
    """Microseconds a Retry-After asks for, at most a day; 0 when absent, past or unreadable."""
    if header is None:
        return 0
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        wanted_us = int(text) * MICROSECONDS_PER_SECOND
    else:
        moment = _http_date(text)
        wanted_us = 0 if moment is None else to_us(moment) - now_us
    return min(max(wanted_us, 0), MAX_RETRY_AFTER_US)


def reason_to_disable(
    attempt: Attempt, failing_since_us: int | None, ended_at_us: int
) -> str | None:
    """Why the endpoint gets no more after this failed attempt, or None."""
    if attempt.status_code == GONE:
        return "The endpoint answered 410 Gone"
    if failing_since_us is not None and ended_at_us - failing_since_us >= DISABLE_AFTER_US:
        since = from_us(failing_since_us).date().isoformat()
        return f"Every delivery has failed since {since}"
    return None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
