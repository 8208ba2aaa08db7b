"""Event rows, there and back: arrow columns for what is appended, Events from what is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import duckdb
import pyarrow as pa
from msgspec.structs import astuple

from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.schema import COST_SOURCES
from infraprism_server.ids import event_id_from_key

_EVENT_FIELDS: Final = Event.__struct_fields__
_DEFAULT_TIER: Final = "standard"
_TIER_AS_STORED: Final = {_DEFAULT_TIER: None}
_COST_SOURCE_CODES: Final = {source: code for code, source in enumerate(COST_SOURCES)}

COUNT_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)
"""Integers of 32 bits: more than 2,147,483,647 tokens in one call are a mistake and refused."""

_READ: Final = """
    SELECT e.rowid, e.id, e.id_text, e.ts, m.provider, m.model,
    e.input_tokens, e.output_tokens, e.cache_read_input_tokens, e.cache_write_input_tokens,
    e.cache_write_1h_input_tokens, e.reasoning_output_tokens, e.input_audio_tokens,
    e.output_audio_tokens, e.web_search_requests, e.service_tier, e.latency_ms,
    n.entity_type, n.entity_id, e.session_id, t.tags, e.success, e.error_type, e.error_code,
    e.cost_pico, e.cost_source, e.computed_cost_pico, e.rate_id
    FROM events e
    JOIN models m ON m.code = e.model_code
    LEFT JOIN entities n ON n.code = e.entity_code AND n.account = ?
    LEFT JOIN tag_sets t ON t.code = e.tag_code AND t.account = ?
    WHERE e.account = ? AND e.rowid IN (SELECT unnest(?::BIGINT[]))
"""


@dataclass(slots=True)
class Incoming:
    """Events on their way in, as columns of equal length."""

    accounts: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    """The text of an id that is not native (ids.event_key)."""
    events: list[Event] = field(default_factory=list)

    def at(self, places: Sequence[int]) -> Incoming:
        """Those at some places."""
        return Incoming(
            [self.accounts[place] for place in places],
            [self.keys[place] for place in places],
            [self.texts[place] for place in places],
            [self.events[place] for place in places],
        )

    def without(self, stored: Mapping[tuple[int, bytes], Event]) -> Incoming:
        """Those whose ids are not among the stored."""
        if not stored:
            return self
        rows = zip(self.accounts, self.keys, self.texts, self.events, strict=True)
        rest = Incoming()
        for account, key, text, event in rows:
            if (account, key) not in stored:
                rest.accounts.append(account)
                rest.keys.append(key)
                rest.texts.append(text)
                rest.events.append(event)
        return rest


def uuid_array(keys: Sequence[bytes]) -> pa.Array:
    """The 16 bytes of each key as DuckDB's UUID, which sorts as the bytes do."""
    storage = pa.Array.from_buffers(pa.binary(16), len(keys), [None, pa.py_buffer(b"".join(keys))])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def build(
    connection: duckdb.DuckDBPyConnection,
    dictionaries: Dictionaries,
    incoming: Incoming,
    commit_no: int,
) -> pa.Table:
    """The columns of the table events, by name, for one insert.

    Built column by column: rows of Python objects would cost more than the insert itself. Raises
    pyarrow.ArrowInvalid or OverflowError when a number does not fit its column.
    """
    accounts = incoming.accounts
    of = dict(zip(_EVENT_FIELDS, zip(*map(astuple, incoming.events), strict=True), strict=True))
    int32, int64, string = pa.int32(), pa.int64(), pa.string()
    columns: dict[str, pa.Array] = {
        "account": _same_or_each(accounts, int32),
        "id": uuid_array(incoming.keys),
        "id_text": _same_or_each(incoming.texts, string),
        "ts": pa.array(of["timestamp_us"], int64),
        **_codes(connection, dictionaries, accounts, of),
        "session_id": pa.array(of["session_id"], string),
    }
    for name in COUNT_FIELDS:
        columns[name] = _same_or_each(of[name], int32)
    tiers = _spelled(of["service_tier"], _TIER_AS_STORED)
    sources = _spelled(of["cost_source"], _COST_SOURCE_CODES)
    columns |= {
        "service_tier": _same_or_each(tiers, string),
        "latency_ms": pa.array(of["latency_ms"], int32),
        "success": pa.array(of["success"], pa.bool_()),
        "error_type": pa.array(of["error_type"], string),
        "error_code": pa.array(of["error_code"], string),
        "cost_pico": pa.array(of["cost_pico"], int64),
        "cost_source": _same_or_each(sources, pa.int8()),
        "computed_cost_pico": _same_or_each(of["computed_cost_pico"], int64),
        "rate_id": pa.array(of["rate_id"], int64),
        "commit_no": pa.repeat(pa.scalar(commit_no, int64), len(accounts)),
    }
    return pa.table(columns)


def _codes(
    connection: duckdb.DuckDBPyConnection,
    dictionaries: Dictionaries,
    accounts: Sequence[int],
    of: Mapping[str, tuple[Any, ...]],
) -> dict[str, pa.Array]:
    """The columns that hold codes; texts that are new get theirs."""
    models, entities, tag_sets = dictionaries.columns(
        connection,
        list(zip(of["provider"], of["model"], strict=True)),
        list(zip(accounts, of["entity_type"], of["entity_id"], strict=True)),
        list(zip(accounts, of["tags"], strict=True)),
    )
    int32 = pa.int32()
    return {
        "model_code": pa.array(models, int32),
        "entity_code": pa.array(entities, int32),
        "tag_code": pa.array(tag_sets, int32),
    }


def _spelled(texts: Sequence[str], spelling: Mapping[str, Any]) -> Sequence[Any]:
    return [spelling.get(text, text) for text in texts]


def _same_or_each(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    # Most details are zero or absent for all calls of a group, and to find that out and repeat a
    # constant is ten times cheaper than to convert each.
    first = values[0]
    if values.count(first) == len(values):
        return pa.repeat(pa.scalar(first, kind), len(values))
    return pa.array(values, kind)


def read(
    cursor: duckdb.DuckDBPyConnection, account: int, rowids: Sequence[int]
) -> dict[int, tuple[bytes, Event]]:
    """The key and the event of each row that is this account's, by rowid."""
    if not rowids:
        return {}
    found = cursor.execute(_READ, [account, account, account, list(rowids)]).fetchall()
    return {row[0]: (row[1].bytes, _event(row)) for row in found}


class RowsMovedError(Exception):
    """Rows have other numbers than a moment ago: look for them once more."""


def read_found(
    cursor: duckdb.DuckDBPyConnection, account: int, found: Sequence[tuple[int, UUID]]
) -> list[Event]:
    """The events whose row numbers and ids another statement found, in its order. RowsMovedError.

    A checkpoint that closes the gaps of deleted rows numbers the others anew, between two
    statements of one transaction too; only the writer, who makes the checkpoints, is safe from it.
    """
    there = read(cursor, account, [rowid for rowid, _ in found])
    events = []
    for rowid, uuid in found:
        key, event = there.get(rowid, (b"", None))
        if event is None or key != uuid.bytes:
            raise RowsMovedError
        events.append(event)
    return events


def _event(row: tuple[Any, ...]) -> Event:
    return Event(
        id=event_id_from_key(row[1].bytes, row[2]),
        timestamp_us=row[3],
        provider=row[4],
        model=row[5],
        input_tokens=row[6],
        output_tokens=row[7],
        cache_read_input_tokens=row[8],
        cache_write_input_tokens=row[9],
        cache_write_1h_input_tokens=row[10],
        reasoning_output_tokens=row[11],
        input_audio_tokens=row[12],
        output_audio_tokens=row[13],
        web_search_requests=row[14],
        service_tier=_DEFAULT_TIER if row[15] is None else row[15],
        latency_ms=row[16],
        entity_type=row[17],
        entity_id=row[18],
        session_id=row[19],
        tags=row[20],
        success=row[21],
        error_type=row[22],
        error_code=row[23],
        cost_pico=row[24],
        cost_source=COST_SOURCES[row[25]],
        computed_cost_pico=row[26],
        rate_id=row[27],
    )
