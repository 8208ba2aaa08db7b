"""Bodies are counted while they are read and while they wait, and refused beyond the bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from infraprism_server.errors import InvalidRequest, PayloadTooLarge, Unavailable
from infraprism_server.events.admission import Admission

LIMIT = 1_000


async def chunks(*parts: bytes, pause_seconds: float = 0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(pause_seconds)
        yield part


def test_a_body_is_read_and_leaves_nothing_counted() -> None:
    """Whole, too large, or broken off: afterwards the counts are what they were."""
    admission = Admission()
    assert asyncio.run(admission.read(chunks(b"ab", b"c"), None, LIMIT)) == b"abc"
    with pytest.raises(PayloadTooLarge):
        asyncio.run(admission.read(chunks(b"x" * 600, b"x" * 600), None, LIMIT))
    assert (admission.reading_bytes, admission.waiting_bytes) == (0, 0)


def test_a_slow_body_has_an_end() -> None:
    """InvalidRequest that says how long it may take."""
    admission = Admission(read_seconds=0.05)
    with pytest.raises(InvalidRequest, match=r"within 0\.05 seconds"):
        asyncio.run(admission.read(chunks(b"a", b"b", pause_seconds=0.04), None, LIMIT))
    assert admission.reading_bytes == 0


def test_parts_of_bodies_are_bounded_together() -> None:
    """Many slow bodies at once: those beyond the bound are refused, the others arrive."""
    admission = Admission(max_reading_bytes=170)

    async def three() -> list[bytes | BaseException]:
        bodies = [chunks(b"x" * 60, b"y" * 40, pause_seconds=0.01) for _ in range(3)]
        reading = [admission.read(body, None, LIMIT) for body in bodies]
        return await asyncio.gather(*reading, return_exceptions=True)

    answers = asyncio.run(three())
    assert sorted(type(answer).__name__ for answer in answers) == ["Unavailable", "bytes", "bytes"]
    assert admission.reading_bytes == 0


def test_what_waits_is_bounded_and_the_next_is_refused_unread() -> None:
    """One body always has room; beyond the bound neither a whole nor an unread one has."""
    admission = Admission(max_waiting_bytes=100)
    with admission.wait(150):
        with pytest.raises(Unavailable) as refused, admission.wait(1):
            pass
        assert refused.value.retry_after_seconds == 1
        with pytest.raises(Unavailable):
            asyncio.run(admission.read(chunks(b"never read"), None, LIMIT))
    with admission.wait(60), admission.wait(40):
        assert admission.waiting_bytes == 100
    assert admission.waiting_bytes == 0
