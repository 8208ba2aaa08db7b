"""The SDK's own errors: logged, at most once a minute, and never the host's problem."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("infraprism")

_INTERVAL_SECONDS = 60.0
_last: dict[str, float] = {}


def own_error(where: str, error: BaseException) -> None:
    """Log an error of our own by its class alone: its text could quote the host's arguments."""
    now = time.monotonic()
    if now - _last.get(where, -_INTERVAL_SECONDS) >= _INTERVAL_SECONDS:
        _last[where] = now
        log.warning(
            "infraprism: %s failed with %s; your call is not affected", where, type(error).__name__
        )


def warn_once(key: str, message: str, *arguments: object) -> None:
    """One line per process for what will not change by itself."""
    if key not in _last:
        _last[key] = time.monotonic()
        log.warning(message, *arguments)
