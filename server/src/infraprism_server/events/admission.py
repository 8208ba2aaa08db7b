"""How many bytes of reported calls may be in memory before they are events: a bound, kept exactly.

Beyond it a request is refused at once, which costs next to nothing, instead of waiting in a queue
that only grows: what was accepted is answered soon, and the rest knows soon (docs/reliability.md).
Used from one event loop, so no lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from infraprism_server.errors import InvalidRequest, Unavailable
from infraprism_server.http.body import read_bounded

MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
"""Whole bodies whose turn to be decoded has not come: about a second of ingest."""
MAX_READING_BYTES: Final = 64 * 1024 * 1024
"""Parts of bodies still on their way. Apart, so that slow clients do not refuse quick ones."""
READ_SECONDS: Final = 30.0

_RETRY_SECONDS: Final = 1


class Admission:
    """Counts the bytes of bodies that are being read, and of those that wait."""

    def __init__(
        self,
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_reading_bytes: int = MAX_READING_BYTES,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._max_waiting_bytes = max_waiting_bytes
        self._max_reading_bytes = max_reading_bytes
        self._read_seconds = read_seconds
        self.waiting_bytes = 0
        self.reading_bytes = 0

    async def read(self, chunks: AsyncIterator[bytes], declared: str | None, limit: int) -> bytes:
        """As read_bounded. Unavailable when there is no room, InvalidRequest when it is slow."""
        if self.waiting_bytes >= self._max_waiting_bytes:
            raise _full()
        received = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal received
            async for chunk in chunks:
                received += len(chunk)
                self.reading_bytes += len(chunk)
                if self.reading_bytes > self._max_reading_bytes:
                    raise _full()
                yield chunk

        try:
            async with asyncio.timeout(self._read_seconds):
                return await read_bounded(counted(), declared, limit)
        except TimeoutError:
            raise InvalidRequest(
                f"The body did not arrive within {self._read_seconds:g} seconds"
            ) from None
        finally:
            self.reading_bytes -= received

    @contextmanager
    def wait(self, size: int) -> Iterator[None]:
        """Count a whole body while it waits. Unavailable when others wait and it is too much."""
        if self.waiting_bytes and self.waiting_bytes + size > self._max_waiting_bytes:
            raise _full()
        self.waiting_bytes += size
        try:
            yield
        finally:
            self.waiting_bytes -= size


def _full() -> Unavailable:
    return Unavailable("more is reported than can be taken now: send this again", _RETRY_SECONDS)
