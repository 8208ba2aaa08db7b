"""What `infraprism doctor` finds: one thing that was looked at, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    area: str
    status: Status
    text: str
    advice: str | None = None


Findings = Iterator[Finding]
