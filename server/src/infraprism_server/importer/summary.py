"""What became of the lines: counts, and the reasons of those that were not taken."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MAX_REASONS = 50
_EXAMPLE_LINES = 5


class Reason(msgspec.Struct):
    """One kind of rejection; the message is that of the first line."""

    code: str
    param: str | None
    message: str
    count: int = 0
    lines: list[int] = []


class Counts(msgspec.Struct):
    """Lines accepted, seen before, and rejected."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: list[Reason] = []

    @property
    def lines(self) -> int:
        return self.accepted + self.duplicates + self.rejected

    def reject(self, line: int, code: str, param: str | None, message: str) -> None:
        """Count one line that was not taken. Beyond MAX_REASONS kinds the rest is one kind."""
        self.rejected += 1
        reason = self._reason(code, param, message)
        reason.count += 1
        if len(reason.lines) < _EXAMPLE_LINES:
            reason.lines.append(line)

    def add(self, others: Iterable[Counts]) -> Counts:
        """These counts and those of others, as new ones."""
        total = msgspec.json.decode(msgspec.json.encode(self), type=Counts)
        for other in others:
            total.accepted += other.accepted
            total.duplicates += other.duplicates
            total.rejected += other.rejected
            for reason in other.reasons:
                mine = total._reason(reason.code, reason.param, reason.message)
                mine.count += reason.count
                mine.lines = (mine.lines + reason.lines)[:_EXAMPLE_LINES]
        return total

    def _reason(self, code: str, param: str | None, message: str) -> Reason:
        for reason in self.reasons:
            if (reason.code, reason.param) == (code, param):
                return reason
        if len(self.reasons) >= MAX_REASONS:
            code, param, message = "other", None, "Further reasons"
            for reason in self.reasons:
                if reason.code == code:
                    return reason
        found = Reason(code, param, message)
        self.reasons.append(found)
        return found
