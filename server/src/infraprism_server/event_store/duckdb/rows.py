"""Event rows, there and back: arrow columns for what is appended, Events from what is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final
from uuid import UUID

import duckdb
import pyarrow as pa

from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.schema import COST_SOURCES
from infraprism_server.event_store.event_columns import COUNT_FIELDS, EventColumns
from infraprism_server.event_store.repeated import Repeated
from infraprism_server.ids import event_id_from_key

_DEFAULT_TIER: Final = "standard"

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


@dataclass(frozen=True, slots=True)
class Part:
    """Events of one account on their way in, and what ids.event_key says of their ids."""

    account: int
    events: Sequence[Event]
    keys: Sequence[bytes]
    texts: Sequence[str | None]
    """The text of an id that is not native."""

    def at(self, places: Sequence[int]) -> Part:
        """Those at some places."""
        events = self.events
        chosen = (
            events.take(places)
            if isinstance(events, EventColumns)
            else [events[place] for place in places]
        )
        return Part(
            self.account,
            chosen,
            [self.keys[place] for place in places],
            [self.texts[place] for place in places],
        )


def uuid_array(keys: Sequence[bytes]) -> pa.Array:
    """The 16 bytes of each key as DuckDB's UUID, which sorts as the bytes do."""
    storage = pa.Array.from_buffers(pa.binary(16), len(keys), [None, pa.py_buffer(b"".join(keys))])
    return pa.ExtensionArray.from_storage(pa.uuid(), storage)


def build(
    connection: duckdb.DuckDBPyConnection,
    dictionaries: Dictionaries,
    parts: Sequence[Part],
    commit_no: int,
) -> pa.Table:
    """The columns of the table events, by name, for one insert.

    Built column by column: rows of Python objects would cost more than the insert itself. Raises
    pyarrow.ArrowInvalid or OverflowError when a number does not fit its column.
    """
    packed = list(_packed(parts))
    models = dictionaries.model_codes(
        connection, [name for _, events in packed for name in events.models.values]
    )
    entities = dictionaries.entity_codes(
        connection,
        [(account, *name) for account, events in packed for name in events.entities.values],
    )
    tag_sets = dictionaries.tag_codes(
        connection, [(account, tags) for account, events in packed for tags in events.tags.values]
    )
    codes = _Codes(iter(models), iter(entities), iter(tag_sets))
    tables = [_columns(account, events, codes) for account, events in packed]
    columns = {
        name: pa.concat_arrays([table[name] for table in tables]) if tables[1:] else first
        for name, first in tables[0].items()
    }
    count = len(columns["id"])
    return pa.table(columns | {"commit_no": pa.repeat(pa.scalar(commit_no, pa.int64()), count)})


def _packed(parts: Sequence[Part]) -> Iterator[tuple[int, EventColumns]]:
    """The parts as columns; events that came one by one are packed together."""
    for (account, in_columns), group in groupby(parts, _kind_of_part):
        if in_columns:
            for part in group:
                yield account, EventColumns.of(part.events)
        else:
            yield account, EventColumns.of([event for part in group for event in part.events])


def _kind_of_part(part: Part) -> tuple[int, bool]:
    return part.account, isinstance(part.events, EventColumns)


@dataclass(frozen=True, slots=True)
class _Codes:
    """The codes of what all parts name, one after the other."""

    models: Iterator[int | None]
    entities: Iterator[int | None]
    tag_sets: Iterator[int | None]


def _of_next(column: Repeated[Any], codes: Iterator[int | None]) -> pa.Array:
    return column.with_values(list(islice(codes, len(column.values))), pa.int32())


def _columns(account: int, events: EventColumns, codes: _Codes) -> dict[str, pa.Array]:
    int32, string, plain = pa.int32(), pa.string(), events.plain
    repeated = events.repeated
    return {
        "account": pa.repeat(pa.scalar(account, int32), len(events)),
        "id": uuid_array(events.keys),
        "id_text": _same_or_each(events.texts, string),
        "ts": plain["timestamp_us"],
        "model_code": _of_next(events.models, codes.models),
        "entity_code": _of_next(events.entities, codes.entities),
        "tag_code": _of_next(events.tags, codes.tag_sets),
        "session_id": plain["session_id"],
        **{name: plain[name] for name in COUNT_FIELDS},
        "service_tier": repeated["service_tier"].mapped(_tier_as_stored, string),
        "latency_ms": plain["latency_ms"],
        "success": plain["success"],
        "error_type": repeated["error_type"].mapped(_as_it_is, string),
        "error_code": repeated["error_code"].mapped(_as_it_is, string),
        "cost_pico": plain["cost_pico"],
        "cost_source": repeated["cost_source"].mapped(COST_SOURCES.index, pa.int8()),
        "computed_cost_pico": plain["computed_cost_pico"],
        "rate_id": plain["rate_id"],
    }


def _tier_as_stored(tier: str) -> str | None:
    return None if tier == _DEFAULT_TIER else tier


def _as_it_is(text: str | None) -> str | None:
    return text


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
