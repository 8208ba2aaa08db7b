"""Event rows, there and back: arrow columns for what is appended, Events from what is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa

from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.schema import COST_SOURCES
from infraprism_server.ids import event_id_from_key

_DEFAULT_TIER: Final = "standard"
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


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An event on its way in, with what it is known by."""

    account: int
    key: bytes
    id_text: str | None
    event: Event


def uuid_array(keys: Sequence[bytes]) -> pa.Array:
    """The 16 bytes of each key as DuckDB's UUID, which sorts as the bytes do."""
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(keys, pa.binary(16)))


def build(
    connection: duckdb.DuckDBPyConnection,
    dictionaries: Dictionaries,
    candidates: Sequence[Candidate],
    commit_no: int,
) -> pa.Table:
    """The columns of the table events, in their order, for one insert.

    Built column by column: rows of Python objects would cost more than the insert itself. Raises
    pyarrow.ArrowInvalid or OverflowError when a number does not fit its column.
    """
    events = [candidate.event for candidate in candidates]
    accounts = [candidate.account for candidate in candidates]
    both = list(zip(accounts, events, strict=True))
    models = dictionaries.models(connection, {(e.provider, e.model) for e in events})
    entities = dictionaries.entities(
        connection,
        {
            (account, e.entity_type, e.entity_id)
            for account, e in both
            if e.entity_type is not None and e.entity_id is not None
        },
    )
    tag_sets = dictionaries.tag_sets(
        connection, {(account, e.tags) for account, e in both if e.tags is not None}
    )
    int32, int64, string = pa.int32(), pa.int64(), pa.string()
    columns: dict[str, pa.Array] = {
        "account": pa.array(accounts, int32),
        "id": uuid_array([candidate.key for candidate in candidates]),
        "id_text": pa.array([candidate.id_text for candidate in candidates], string),
        "ts": pa.array([e.timestamp_us for e in events], int64),
        "model_code": pa.array([models[e.provider, e.model] for e in events], int32),
        "entity_code": pa.array(
            [entities.get((account, e.entity_type, e.entity_id)) for account, e in both],  # type: ignore[arg-type]
            int32,
        ),
        "session_id": pa.array([e.session_id for e in events], string),
        "tag_code": pa.array(
            [None if e.tags is None else tag_sets[account, e.tags] for account, e in both], int32
        ),
    }
    for field in COUNT_FIELDS:
        columns[field] = pa.array([getattr(e, field) for e in events], int32)
    columns |= {
        "service_tier": pa.array(
            [None if e.service_tier == _DEFAULT_TIER else e.service_tier for e in events], string
        ),
        "latency_ms": pa.array([e.latency_ms for e in events], int32),
        "success": pa.array([e.success for e in events], pa.bool_()),
        "error_type": pa.array([e.error_type for e in events], string),
        "error_code": pa.array([e.error_code for e in events], string),
        "cost_pico": pa.array([e.cost_pico for e in events], int64),
        "cost_source": pa.array([_COST_SOURCE_CODES[e.cost_source] for e in events], pa.int8()),
        "computed_cost_pico": pa.array([e.computed_cost_pico for e in events], int64),
        "rate_id": pa.array([e.rate_id for e in events], int64),
        "commit_no": pa.repeat(pa.scalar(commit_no, int64), len(events)),
    }
    return pa.table(columns)


def read(
    cursor: duckdb.DuckDBPyConnection, account: int, rowids: Sequence[int]
) -> dict[int, tuple[bytes, Event]]:
    """The key and the event of each row that is this account's, by rowid."""
    if not rowids:
        return {}
    found = cursor.execute(_READ, [account, account, account, list(rowids)]).fetchall()
    return {row[0]: (row[1].bytes, _event(row)) for row in found}


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
