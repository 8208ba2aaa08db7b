"""The schedule: ten attempts over 75 hours, Retry-After, and when an endpoint is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from infraprism_server.webhooks.attempt import (
    DELAYS_SECONDS,
    DISABLE_AFTER_US,
    Attempt,
    next_attempt_us,
    reason_to_disable,
    retry_after_us,
)

FAILED = Attempt(started_at_us=0, duration_ms=5, status_code=500)
NOON_US = 1_772_366_400_000_000


def test_r28_the_delays_are_those_of_the_contract() -> None:
    hours = sum(DELAYS_SECONDS) / 3600
    assert len(DELAYS_SECONDS) == 10
    assert 75 <= hours < 76
    assert next_attempt_us(10, FAILED, 0, 0.5) is None


@pytest.mark.parametrize("made", range(1, 10))
def test_r28_jitter_is_a_tenth_in_either_direction(made: int) -> None:
    delay_us = DELAYS_SECONDS[made] * MICROSECONDS_PER_SECOND
    assert next_attempt_us(made, FAILED, NOON_US, 0.5) == NOON_US + delay_us
    assert next_attempt_us(made, FAILED, NOON_US, 0.0) == NOON_US + delay_us * 9 // 10
    latest = next_attempt_us(made, FAILED, NOON_US, 0.999999)
    assert latest is not None
    assert NOON_US + delay_us < latest <= NOON_US + delay_us * 11 // 10


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("999999999", 86_400),
        ("9" * 5000, 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("٣", 0),
        ("Sun, 99 Mar 2026 12:02:00 GMT", 0),
    ],
)
def test_r30_retry_after_is_read_in_both_forms_and_bounded(
    header: str | None, seconds: int
) -> None:
    assert retry_after_us(header, NOON_US) == seconds * MICROSECONDS_PER_SECOND


def test_a_longer_retry_after_is_waited_for_and_a_shorter_one_changes_nothing() -> None:
    def due(header: str) -> int | None:
        attempt = Attempt(started_at_us=0, duration_ms=1, status_code=429, retry_after=header)
        return next_attempt_us(1, attempt, NOON_US, 0.5)

    assert due("60") == NOON_US + 60 * MICROSECONDS_PER_SECOND
    assert due("1") == NOON_US + 5 * MICROSECONDS_PER_SECOND


def test_r30_r31_gone_disables_at_once_and_failures_after_five_days() -> None:
    gone = Attempt(started_at_us=0, duration_ms=1, status_code=410)
    assert reason_to_disable(gone, None, NOON_US) is not None
    assert reason_to_disable(FAILED, None, NOON_US) is None
    since = NOON_US - DISABLE_AFTER_US
    assert reason_to_disable(FAILED, since + 1, NOON_US) is None
    assert reason_to_disable(FAILED, since, NOON_US) == "Every delivery has failed since 2026-02-24"
    assert timedelta(microseconds=DISABLE_AFTER_US) == timedelta(days=5)
    assert MICROSECONDS_PER_DAY * 5 == DISABLE_AFTER_US
