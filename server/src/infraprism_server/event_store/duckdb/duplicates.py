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
from infraprism_server.event_store.duckdb.rows import read, uuid_array

_Ids: TypeAlias = tuple[Sequence[int], Sequence[bytes]]
"""Accounts and keys, of equal length."""

_GAP_MS: Final = 3_600_000
"""Native ids further apart than this are looked for in different parts of the table."""
_MOST_PARTS: Final = 6
"""Each part costs about a millisecond."""

_content = attrgetter(*CONTENT_FIELDS)

_HITS: Final = """
    SELECT e.account, e.rowid FROM wanted w
    JOIN events e ON e.id = w.id AND e.account = w.account
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
    connection: duckdb.DuckDBPyConnection,
    accounts: Sequence[int],
    keys: Sequence[bytes],
    texts: Sequence[str | None],
) -> dict[int, list[int]]:
    """The rows that hold any of the ids, by account. `texts`: those of ids that are hashes."""
    rowids: dict[int, list[int]] = {}
    for part_accounts, part_keys in _parts(accounts, keys, texts):
        wanted = pa.table(
            {"account": pa.array(part_accounts, pa.int32()), "id": uuid_array(part_keys)}
        )
        for account, rowid in connection.execute(_HITS).fetchall():
            rowids.setdefault(account, []).append(rowid)
        del wanted
    return rowids


def find_stored(
    connection: duckdb.DuckDBPyConnection,
    accounts: Sequence[int],
    keys: Sequence[bytes],
    texts: Sequence[str | None],
) -> dict[tuple[int, bytes], Event]:
    """The stored events that have any of the ids, by account and key."""
    return {
        (account, key): event
        for account, rowids in find_rowids(connection, accounts, keys, texts).items()
        for key, event in read(connection, account, rowids).values()
    }


def _parts(
    accounts: Sequence[int], keys: Sequence[bytes], texts: Sequence[str | None]
) -> list[_Ids]:
    """Ids that lie near each other; those that are hashes by themselves."""
    if texts.count(None) == len(texts):
        return _native_parts(accounts, keys)
    rows = list(zip(accounts, keys, texts, strict=True))
    hashed = [(account, key) for account, key, text in rows if text is not None]
    native = [(account, key) for account, key, text in rows if text is None]
    parts: list[_Ids] = [([row[0] for row in hashed], [row[1] for row in hashed])]
    if native:
        parts += _native_parts([row[0] for row in native], [row[1] for row in native])
    return parts


def _native_parts(accounts: Sequence[int], keys: Sequence[bytes]) -> list[_Ids]:
    if _milliseconds(max(keys)) - _milliseconds(min(keys)) <= _GAP_MS:
        return [(accounts, keys)]
    rows = sorted(zip(keys, accounts, strict=True))
    gaps = sorted(
        (
            (_milliseconds(later[0]) - _milliseconds(earlier[0]), place)
            for place, (earlier, later) in enumerate(pairwise(rows), start=1)
        ),
        reverse=True,
    )
    widest = [place for gap, place in gaps[: _MOST_PARTS - 1] if gap > _GAP_MS]
    return [
        ([row[1] for row in rows[start:end]], [row[0] for row in rows[start:end]])
        for start, end in pairwise([0, *sorted(widest), len(rows)])
    ]


def _milliseconds(key: bytes) -> int:
    return int.from_bytes(key[:6], "big")
