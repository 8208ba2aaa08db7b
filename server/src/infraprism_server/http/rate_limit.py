"""How many requests an account may make in a clock minute, and an address may fail in one."""

from __future__ import annotations

import msgspec
from limits.aio.storage import Storage
from limits.storage import storage_from_string

from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock
from infraprism_server.errors import RateLimited

WINDOW_SECONDS = 60
FAILED_AUTHENTICATIONS_PER_MINUTE = 20


class Allowance(msgspec.Struct, frozen=True):
    """What is left of a window; the three X-RateLimit headers say it."""

    limit: int
    remaining: int
    reset_at: int
    """Unix seconds at which the window ends."""
    admitted: bool
    retry_after_seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", str(self.limit).encode()),
            (b"x-ratelimit-remaining", str(self.remaining).encode()),
            (b"x-ratelimit-reset", str(self.reset_at).encode()),
        ]

    def refusal(self, message: str) -> RateLimited:
        return RateLimited(message, self.retry_after_seconds)


class RateLimiter:
    """Counts in windows that are clock minutes, in memory or in Valkey (`limits` storages)."""

    def __init__(self, url: str, clock: Clock) -> None:
        storage = storage_from_string(f"async+{url}")
        if not isinstance(storage, Storage):
            raise TypeError(f"{url} is not an asynchronous rate-limit storage")
        self._storage = storage
        self._clock = clock

    async def take(self, account: int, requests_per_minute: int) -> Allowance:
        """Count one request of an account and say whether it is admitted."""
        window, reset_at, left_seconds = self._window()
        used = await self._storage.incr(f"rl:{account}:{window}", WINDOW_SECONDS * 2)
        return Allowance(
            limit=requests_per_minute,
            remaining=max(0, requests_per_minute - used),
            reset_at=reset_at,
            admitted=used <= requests_per_minute,
            retry_after_seconds=left_seconds,
        )

    async def count_failure(self, address: str) -> Allowance:
        """Count one failed authentication of an address; not admitted beyond the bound."""
        window, reset_at, left_seconds = self._window()
        used = await self._storage.incr(f"fa:{address}:{window}", WINDOW_SECONDS * 2)
        return Allowance(
            limit=FAILED_AUTHENTICATIONS_PER_MINUTE,
            remaining=max(0, FAILED_AUTHENTICATIONS_PER_MINUTE - used),
            reset_at=reset_at,
            admitted=used <= FAILED_AUTHENTICATIONS_PER_MINUTE,
            retry_after_seconds=left_seconds,
        )

    def _window(self) -> tuple[int, int, int]:
        now_us = self._clock.now_us()
        window = now_us // (WINDOW_SECONDS * MICROSECONDS_PER_SECOND)
        reset_at = (window + 1) * WINDOW_SECONDS
        # Rounded up, so that a client that sleeps this long wakes inside the next window.
        left_us = reset_at * MICROSECONDS_PER_SECOND - now_us
        return window, reset_at, -(-left_us // MICROSECONDS_PER_SECOND)
