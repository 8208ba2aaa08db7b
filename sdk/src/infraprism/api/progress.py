"""Waiting for work on the server, and showing how far it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic

from infraprism.api.errors import InfraPrismError

Progress = Callable[[int, "int | None"], None]
"""Told how much is done, and of how much; None while that is not known."""

_WIDTH = 30


class WaitTimedOut(InfraPrismError):
    """The work goes on on the server; whoever waited does no longer."""


def deadline_after(timeout_seconds: float | None) -> float | None:
    """When waiting ends; None: never."""
    return None if timeout_seconds is None else monotonic() + timeout_seconds


def check_time(deadline: float | None, what: str) -> None:
    """WaitTimedOut after the deadline."""
    if deadline is not None and monotonic() >= deadline:
        raise WaitTimedOut(f"{what} is not done yet; it goes on, ask again later")


def bar(label: str) -> Progress:
    """A progress bar on standard error, drawn only where somebody watches."""

    def draw(done: int, total: int | None) -> None:
        if not sys.stderr.isatty():
            return
        part = min(1.0, done / total) if total else 0.0
        filled = "█" * round(part * _WIDTH)
        amount = f"{done:,} of {total:,}" if total is not None else f"{done:,}"
        end = "\n" if total is not None and done >= total else ""
        sys.stderr.write(f"\r{label} {filled:░<{_WIDTH}} {amount}{end}")
        sys.stderr.flush()

    return draw
