"""The days that the events of a session lie in, so that they are looked for there alone.

A row says that a session (by 32 bits of its name: others may share them) has folded events between
two days; it may have several, and they may be too wide. So nothing corrects them: what a deletion
leaves too wide costs a longer look, and a copy drops what lies before every event.
"""

from __future__ import annotations

import hashlib
from typing import Final

import duckdb

from infraprism_server.clock import MICROSECONDS_PER_DAY

HASH_OF_NAME: Final = "(md5_number_lower(session_id) & 4294967295)::UINTEGER"


def session_hash(session_id: str) -> int:
    """What HASH_OF_NAME is of a session's name."""
    digest = hashlib.md5(session_id.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:12], "little")


def find_span(
    cursor: duckdb.DuckDBPyConnection, account: int, session_id: str
) -> tuple[int, int] | None:
    """Instants [start, end) between which all events of a session are; None: it has none."""
    ((first, last),) = cursor.execute(
        "SELECT min(first_day), max(last_day) FROM session_days"
        " WHERE account = ? AND session_hash = ?",
        [account, session_hash(session_id)],
    ).fetchall()
    ((first_us, last_us),) = cursor.execute(
        "SELECT min(ts), max(ts) FROM events WHERE account = ? AND session_id = ?"
        " AND commit_no > (SELECT watermark FROM rollup_state)",
        [account, session_id],
    ).fetchall()
    starts = [] if first_us is None else [first_us]
    ends = [] if last_us is None else [last_us + 1]
    if first is not None:
        starts.append(first * MICROSECONDS_PER_DAY)
        ends.append((last + 1) * MICROSECONDS_PER_DAY)
    return (min(starts), max(ends)) if starts else None
