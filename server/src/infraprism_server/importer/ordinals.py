"""Which of several identical lines a line is, for files of any length in 64 MiB.

A Bloom filter holds pairs of (digest, ordinal); a line's ordinal is the first that the filter has
not seen. Two lines of one digest never get the same ordinal, and the same file always gives the
same ordinals. What the bound costs: a line may be taken for a repeated one (fewer than one in 10^8
at a million lines, one in 10^4 at ten million) and gets ordinal 1; that matters only if the same
line stands in another file too.
"""

from __future__ import annotations

_BITS = 1 << 29
_MASK = _BITS - 1
_ODD = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1


class Ordinals:
    """The ordinals of one file's lines, asked in the order of the lines."""

    def __init__(self) -> None:
        self._bits = bytearray(_BITS // 8)  # the system gives the pages as they are touched

    def next(self, digest: bytes) -> int:
        """The ordinal of this line among those with its digest (at least 16 bytes), from 0."""
        first = int.from_bytes(digest[:8], "little")
        second = int.from_bytes(digest[8:16], "little")
        if self._add(first, second, 0):
            return 0
        below, step = 0, 1
        while self._has(first, second, below + step):
            below += step
            step *= 2
        above = below + step
        while above - below > 1:
            middle = (above + below) // 2
            if self._has(first, second, middle):
                below = middle
            else:
                above = middle
        self._add(first, second, above)
        return above

    def _add(self, first: int, second: int, ordinal: int) -> bool:
        """Put a pair in; False when it was there already."""
        bits = self._bits
        place = (first + ordinal * _ODD) & _WORD
        new = False
        for _ in range(4):
            index = (place & _MASK) >> 3
            bit = 1 << (place & 7)
            if not bits[index] & bit:
                bits[index] |= bit
                new = True
            place = (place + second) & _WORD
        return new

    def _has(self, first: int, second: int, ordinal: int) -> bool:
        place = (first + ordinal * _ODD) & _WORD
        for _ in range(4):
            if not self._bits[(place & _MASK) >> 3] & (1 << (place & 7)):
                return False
            place = (place + second) & _WORD
        return True
