"""Which of the incoming events are stored already, and whether they are the same calls.

One join on 128-bit ids in the transaction that inserts. DuckDB prunes it by the smallest and the
largest id asked for: ids that sort by time touch the few blocks of their own time. Two guards keep
that so: ids of different times (an import beside live traffic) are asked for apart, and ids that
are hashes, which do sort nowhere, do not widen the range of the others; they cost one scan of the
id column a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final, TypeAlias

import duckdb
import pyarrow as pa

from infraprism_server.event_store.contract import CONTENT_FIELDS, Event, Outcome
from infraprism_server.event_store.duckdb.rows import Candidate, read, uuid_array

StoredId: TypeAlias = tuple[bytes, int, str | None]
"""Key, account, and the text of an id that is not native."""

_GAP_MS: Final = 3_600_000
"""Native ids further apart than this are looked for in different parts of the table."""
_MOST_PARTS: Final = 6
"""Each part costs about a millisecond."""

_content = attrgetter(*CONTENT_FIELDS)

_HITS: Final = """
    SELECT e.account, e.rowid FROM incoming i
    JOIN events e ON e.id = i.id AND e.account = i.account
"""


def same_call(first: Event, second: Event) -> bool:
    """Whether two events with one id are the same call, as contract.CONTENT_FIELDS says."""
    reported = first.cost_source == "reported"
    if reported != (second.cost_source == "reported"):
        return False
    if reported and first.cost_pico != second.cost_pico:
        return False
    return first.id == second.id and bool(_content(first) == _content(second))


def outcome_beside(stored: Event, again: Event) -> Outcome:
    """What becomes of an event whose id is taken."""
    return Outcome.DUPLICATE if same_call(stored, again) else Outcome.CONFLICT


def find_rowids(
    connection: duckdb.DuckDBPyConnection, ids: Sequence[StoredId]
) -> dict[int, list[int]]:
    """The rows that hold any of the ids, by account."""
    rowids: dict[int, list[int]] = {}
    for part in _parts(ids):
        incoming = pa.table(
            {
                "account": pa.array([account for _, account, _ in part], pa.int32()),
                "id": uuid_array([key for key, _, _ in part]),
            }
        )
        for account, rowid in connection.execute(_HITS).fetchall():
            rowids.setdefault(account, []).append(rowid)
        del incoming
    return rowids


def find_stored(
    connection: duckdb.DuckDBPyConnection, candidates: Sequence[Candidate]
) -> dict[tuple[int, bytes], Event]:
    """The stored events that have the candidates' ids, by account and key."""
    ids = [(candidate.key, candidate.account, candidate.id_text) for candidate in candidates]
    return {
        (account, key): event
        for account, rowids in find_rowids(connection, ids).items()
        for key, event in read(connection, account, rowids).values()
    }


def _parts(ids: Sequence[StoredId]) -> list[Sequence[StoredId]]:
    """Ids that lie near each other; those that are hashes by themselves."""
    hashed = [stored for stored in ids if stored[2] is not None]
    native = sorted(stored[:2] for stored in ids if stored[2] is None)
    parts: list[Sequence[StoredId]] = [hashed] if hashed else []
    if not native:
        return parts
    times = [int.from_bytes(key[:6], "big") for key, _ in native]
    gaps = sorted(
        (
            (later - earlier, place)
            for place, (earlier, later) in enumerate(pairwise(times), start=1)
            if later - earlier > _GAP_MS
        ),
        reverse=True,
    )
    cuts = [0, *sorted(place for _, place in gaps[: _MOST_PARTS - 1]), len(native)]
    for start, end in pairwise(cuts):
        parts.append([(key, account, None) for key, account in native[start:end]])
    return parts
