"""When keys were last used: noted in memory in the request's path, written in batches."""

from __future__ import annotations

import threading

from sqlalchemy import Engine

from infraprism_server.api_keys.store import update_last_used

FLUSH_INTERVAL_SECONDS = 20
"""Three tries before a time would be older than the minute that is promised."""
_MAX_KEYS_A_FLUSH = 1_000


class LastUsed:
    """Noting costs a dictionary entry; a crash loses at most one flush interval of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._pending: dict[str, int] = {}

    def note(self, key_id: str, now_us: int) -> None:
        """The key was used now."""
        with self._lock:
            self._pending[key_id] = now_us

    def flush(self) -> None:
        """Write what was noted. When the store fails, it is kept for the next time."""
        with self._lock:
            batch, self._pending = self._pending, {}
        remaining = list(batch.items())
        try:
            while remaining:
                with self._engine.begin() as connection:
                    update_last_used(connection, dict(remaining[:_MAX_KEYS_A_FLUSH]))
                del remaining[:_MAX_KEYS_A_FLUSH]
        except BaseException:
            with self._lock:
                self._pending = dict(remaining) | self._pending
            raise
