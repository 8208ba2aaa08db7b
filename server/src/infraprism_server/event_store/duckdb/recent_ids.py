"""Which native ids were stored lately: most events are proved new without asking the table.

Everything stored that sorts after the floor is in here. So an id after the floor that is not in
here is new; any other id is unproved, and the table is asked. Forgetting raises the floor: a wrong
guess can cost a look-up, never an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import duckdb

MOST_IDS: Final = 200_000
"""About 25 MB, and some seconds of full ingest: retries come sooner than that."""

_WINDOW_BYTES: Final = 5
"""Of an id's 48 bits of milliseconds all but the last byte: windows of 256 ms."""
_COMMITS: Final = 100
"""How many of the newest commits are asked for their highest id first."""
_HIGHEST: Final = "SELECT max(id) FROM events WHERE id_text IS NULL AND commit_no > ?"
_HIGHER: Final = "SELECT max(id) FROM events WHERE id_text IS NULL AND id > ?"
_NOTHING: Final = b""
"""Sorts before every key."""


class RecentIds:
    """Keys of native ids by account, in windows of time that are forgotten oldest first."""

    def __init__(self, most: int = MOST_IDS) -> None:
        self._most = most
        self._floor = _NOTHING
        self._windows: dict[bytes, dict[int, set[bytes]]] = {}
        self._count = 0

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Start anew from a file: what it holds lies at or below the floor."""
        self._windows.clear()
        self._count = 0
        ((newest,),) = connection.execute("SELECT max(commit_no) FROM events").fetchall()
        ((highest,),) = connection.execute(_HIGHEST, [(newest or 0) - _COMMITS]).fetchall()
        # Ids grow with time: of the whole table hardly a block may hold a higher one, and only
        # those are read. To read every id would take a second and 16 bytes of memory an event.
        lowest = UUID(int=0) if highest is None else highest
        ((higher,),) = connection.execute(_HIGHER, [lowest]).fetchall()
        highest = higher or highest
        self._floor = _NOTHING if highest is None else highest.bytes

    def unproved(
        self, account: int, keys: Sequence[bytes], texts: Sequence[str | None]
    ) -> list[int]:
        """The places of those that may be stored already; all others are new."""
        floor, windows = self._floor, self._windows
        window = self._window_of(keys, texts)
        if window is not None:
            known = windows.get(window, {}).get(account)
            if not known or known.isdisjoint(keys):
                return []
        return [
            place
            for place, (key, text) in enumerate(zip(keys, texts, strict=True))
            if text is not None
            or key <= floor
            or key in windows.get(key[:_WINDOW_BYTES], {}).get(account, ())
        ]

    def stored(self, account: int, keys: Sequence[bytes], texts: Sequence[str | None]) -> None:
        """These are committed now; texts are of ids that are not native."""
        window = self._window_of(keys, texts)
        if window is not None:
            self._windows.setdefault(window, {}).setdefault(account, set()).update(keys)
            self._count += len(keys)
        else:
            for key, text in zip(keys, texts, strict=True):
                if text is None and key > self._floor:
                    of_window = self._windows.setdefault(key[:_WINDOW_BYTES], {})
                    of_window.setdefault(account, set()).add(key)
                    self._count += 1
        if self._count > self._most:
            self._forget()

    def _window_of(self, keys: Sequence[bytes], texts: Sequence[str | None]) -> bytes | None:
        """The one window of keys that are all native and after the floor.

        As good as always there is one: what arrives together was made together.
        """
        if texts.count(None) < len(texts):
            return None
        first = min(keys)
        window = first[:_WINDOW_BYTES]
        return window if first > self._floor and window == max(keys)[:_WINDOW_BYTES] else None

    def _forget(self) -> None:
        """Drop the oldest windows until half of the room is free."""
        for window in sorted(self._windows):
            if self._count <= self._most // 2:
                break
            self._count -= sum(map(len, self._windows.pop(window).values()))
            self._floor = window + b"\xff" * (16 - _WINDOW_BYTES)
