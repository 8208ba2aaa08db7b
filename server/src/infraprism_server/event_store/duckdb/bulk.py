"""Loading millions of events at once: for benchmarks and restores, not for the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import duckdb
import pyarrow as pa

from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.schema import COST_SOURCES
from infraprism_server.event_store.event_columns import COUNT_FIELDS

ROWS_PER_COMMIT_NO: Final = 50_000
"""Rows that share a commit_no, so that folding still goes in small chunks."""

BULK_SCHEMA: Final = pa.schema(
    [
        ("id", pa.binary(16)),
        ("id_text", pa.string()),
        ("timestamp_us", pa.int64()),
        ("provider", pa.string()),
        ("model", pa.string()),
        *((field, pa.int32()) for field in COUNT_FIELDS),
        ("service_tier", pa.string()),
        ("latency_ms", pa.int32()),
        ("entity_type", pa.string()),
        ("entity_id", pa.string()),
        ("session_id", pa.string()),
        ("tags", pa.string()),
        ("success", pa.bool_()),
        ("error_type", pa.string()),
        ("error_code", pa.string()),
        ("cost_pico", pa.int64()),
        ("cost_source", pa.string()),
        ("computed_cost_pico", pa.int64()),
        ("rate_id", pa.int64()),
    ]
)
"""`id` and `id_text` are what ids.event_key gives; the texts may be dictionary arrays."""


def insert(
    connection: duckdb.DuckDBPyConnection,
    dictionaries: Dictionaries,
    account: int,
    incoming: pa.Table,
    first_commit_no: int,
) -> None:
    """Insert a table of BULK_SCHEMA in its order, inside the caller's transaction.

    Nothing is checked: the ids must be new to the account and differ from each other, and `tags`
    must be canonical. Give it a few hundred thousand rows at a time: other writers wait meanwhile.
    """
    models = _codes(
        dictionaries.models(
            connection,
            set(connection.execute("SELECT DISTINCT provider, model FROM incoming").fetchall()),
        ),
        ("provider", "model"),
    )
    entities = _codes(
        dictionaries.entities(
            connection,
            {
                (account, entity_type, entity_id)
                for entity_type, entity_id in connection.execute(
                    "SELECT DISTINCT entity_type, entity_id FROM incoming"
                    " WHERE entity_type IS NOT NULL AND entity_id IS NOT NULL"
                ).fetchall()
            },
        ),
        ("account", "entity_type", "entity_id"),
    )
    tag_sets = _codes(
        dictionaries.tag_sets(
            connection,
            {
                (account, tags)
                for (tags,) in connection.execute(
                    "SELECT DISTINCT tags FROM incoming WHERE tags IS NOT NULL"
                ).fetchall()
            },
        ),
        ("account", "tags"),
    )
    ids = incoming.column("id").combine_chunks()
    columns = incoming.set_column(
        incoming.schema.get_field_index("id"), "id", pa.ExtensionArray.from_storage(pa.uuid(), ids)
    ).append_column("place", pa.array(range(incoming.num_rows), pa.int64()))
    connection.execute(_INSERT, [account, first_commit_no])
    del models, entities, tag_sets, columns


_INSERT: Final = f"""
    INSERT INTO events BY NAME SELECT ?::INTEGER AS account, c.id, c.id_text,
    c.timestamp_us AS ts, m.code AS model_code, n.code AS entity_code, c.session_id,
    t.code AS tag_code, {", ".join(f"c.{field}" for field in COUNT_FIELDS)},
    nullif(c.service_tier, 'standard') AS service_tier, c.latency_ms, c.success,
    c.error_type, c.error_code, c.cost_pico,
    (list_position(['{"', '".join(COST_SOURCES)}'], c.cost_source) - 1)::TINYINT AS cost_source,
    c.computed_cost_pico, c.rate_id, ?::BIGINT + c.place // {ROWS_PER_COMMIT_NO} AS commit_no
    FROM columns c JOIN models m ON m.provider = c.provider AND m.model = c.model
    LEFT JOIN entities n ON n.entity_type = c.entity_type AND n.entity_id = c.entity_id
    LEFT JOIN tag_sets t ON t.tags = c.tags
    ORDER BY c.place
"""  # noqa: S608


_Name = TypeVar("_Name", bound=tuple[object, ...])


def _codes(codes: Mapping[_Name, int], names: tuple[str, ...]) -> pa.Table:
    columns = {
        name: pa.array(
            [parts[place] for parts in codes], pa.int32() if name == "account" else pa.string()
        )
        for place, name in enumerate(names)
    }
    return pa.table(columns | {"code": pa.array(list(codes.values()), pa.int32())})
