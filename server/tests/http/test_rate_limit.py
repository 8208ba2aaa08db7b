"""Windows are clock minutes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from infraprism_server.clock import FixedClock
from infraprism_server.http.rate_limit import RateLimiter

START = datetime(2025, 1, 15, 10, 30, 20, tzinfo=UTC)


def test_r23_exactly_the_limit_is_admitted_in_a_minute() -> None:
    async def run() -> list[bool]:
        limiter = RateLimiter("memory://", FixedClock(START))
        taken = await asyncio.gather(*(limiter.take(1, 60) for _ in range(200)))
        return [allowance.admitted for allowance in taken]

    assert asyncio.run(run()).count(True) == 60


def test_r24_whoever_sleeps_as_told_is_admitted_again() -> None:
    async def run() -> None:
        clock = FixedClock(START)
        limiter = RateLimiter("memory://", clock)
        for _ in range(2):
            last = await limiter.take(7, 1)
        assert not last.admitted
        assert last.retry_after_seconds == 40
        assert last.reset_at == int(START.timestamp()) + 40
        clock.advance(timedelta(seconds=last.retry_after_seconds))
        assert (await limiter.take(7, 1)).admitted

    asyncio.run(run())


def test_accounts_and_addresses_have_windows_of_their_own() -> None:
    async def run() -> None:
        limiter = RateLimiter("memory://", FixedClock(START))
        for _ in range(25):
            failed = await limiter.count_failure("10.0.0.1")
            await limiter.take(1, 5)
        assert not failed.admitted
        assert (await limiter.count_failure("10.0.0.2")).admitted
        assert (await limiter.take(2, 5)).remaining == 4

    asyncio.run(run())
