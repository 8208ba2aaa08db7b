"""The floor beside our figures: the same columns in a plain DuckDB file, nothing of ours around.

One process, no HTTP, no decoding, no prices: arrow columns that lie ready are inserted with the
same deduplication (a semi-join on 128-bit ids in the transaction that inserts) and one sync a
commit; questions are plain SQL over the rows. Names are codes here as they are in the store.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from benchmarks.generator import Generator, Plan
from benchmarks.rates import RateId
from benchmarks.workload import MODELS, TAG_SETS, canonical
from infraprism_server.event_store.event_columns import COUNT_FIELDS
from infraprism_server.pricing.price_book import PriceBook

FILE_NAME: Final = "floor.duckdb"
PROJECT_CODES: Final = 10_000
_CHECKPOINT_THRESHOLD: Final = "16MB"
_MEMORY_LIMIT: Final = "1024MB"
_PREPARED_EVENTS: Final = 400_000
_RECENT_US: Final = 60_000_000

_TABLES: Final = (
    f"""CREATE TABLE events (account INTEGER, id UUID, ts BIGINT, model_code INTEGER,
    entity_code INTEGER, session_id VARCHAR, tag_code INTEGER,
    {", ".join(f"{field} INTEGER" for field in COUNT_FIELDS)}, latency_ms INTEGER,
    success BOOLEAN, error_type VARCHAR, error_code VARCHAR, cost_pico BIGINT,
    cost_source TINYINT, rate_id BIGINT)""",
    "CREATE TABLE models (code INTEGER, provider VARCHAR, model VARCHAR)",
    "CREATE TABLE tag_sets (code INTEGER, tags VARCHAR)",
)

_COLUMNS: Final = f"""
    SELECT 1::INTEGER AS account, id, timestamp_us AS ts,
    list_position($models, model)::INTEGER AS model_code,
    CASE entity_type WHEN 'customer' THEN right(entity_id, 4)::INTEGER
        WHEN 'project' THEN {PROJECT_CODES} + right(entity_id, 2)::INTEGER END AS entity_code,
    session_id, list_position($tag_sets, tags)::INTEGER AS tag_code, {", ".join(COUNT_FIELDS)},
    latency_ms, success, error_type, error_code, cost_pico, 0::TINYINT AS cost_source, rate_id
    FROM generated
"""
_NAMES: Final = {
    "models": [model for _, model in MODELS],
    "tag_sets": [canonical(tags) for tags in TAG_SETS],
}

_STORED: Final = (
    "SELECT e.rowid FROM wanted w JOIN events e ON e.id = w.id AND e.account = w.account"
)


class Floor:
    """One plain DuckDB file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE_NAME
        fresh = not self._file.exists()
        self._connection = duckdb.connect(
            str(self._file),
            config={"checkpoint_threshold": _CHECKPOINT_THRESHOLD, "memory_limit": _MEMORY_LIMIT},
        )
        if fresh:
            for statement in _TABLES:
                self._connection.execute(statement)
            models = [(code, *name) for code, name in enumerate(MODELS, 1)]
            self._connection.executemany("INSERT INTO models VALUES (?, ?, ?)", models)
            tag_sets = list(enumerate(_NAMES["tag_sets"], 1))
            self._connection.executemany("INSERT INTO tag_sets VALUES (?, ?)", tag_sets)

    def fill(self, generated: pa.Table) -> None:
        """Insert a table of bulk.BULK_SCHEMA."""
        columns = self._columns(generated)
        self._connection.execute("INSERT INTO events SELECT * FROM columns")
        del columns

    def _columns(self, table: pa.Table) -> pa.Table:
        """As the table's columns."""
        ids = pa.ExtensionArray.from_storage(pa.uuid(), table.column("id").combine_chunks())
        generated = table.set_column(table.schema.get_field_index("id"), "id", ids)
        columns = self._connection.sql(_COLUMNS, params=_NAMES).to_arrow_table()
        del generated
        return columns

    def ingest(
        self, book: PriceBook, rate_id: RateId, group_events: int, seconds: float
    ) -> tuple[float, float]:
        """Events a second of committed groups that lay ready before, and CPU µs an event."""
        groups = self._groups(book, rate_id, group_events)
        inserted = 0
        cpu_before = time.process_time()
        started = time.perf_counter()
        for ready in groups:
            wanted = ready.select(["account", "id"])
            self._connection.execute("BEGIN TRANSACTION")
            if self._connection.execute(_STORED).fetchall():
                raise RuntimeError("a new id is stored already")
            self._connection.execute("INSERT INTO events SELECT * FROM ready")
            self._connection.execute("COMMIT")
            del wanted
            inserted += ready.num_rows
            if time.perf_counter() - started > seconds:
                break
        took, cpu = time.perf_counter() - started, time.process_time() - cpu_before
        return inserted / took, cpu * 1_000_000 / inserted

    def _groups(self, book: PriceBook, rate_id: RateId, group_events: int) -> list[pa.Table]:
        plan = Plan(_PREPARED_EVENTS, time.time_ns() // 1_000, 99, _RECENT_US)
        generator = Generator(plan)
        tables = [self._columns(table) for table in generator.tables(book, rate_id)]
        generator.close()
        together = pa.concat_tables(tables)
        return [
            together.slice(first, group_events).combine_chunks()
            for first in range(0, together.num_rows, group_events)
        ]

    def ask(self, statements: Sequence[str], values: dict[str, Any]) -> float:
        """How long the statements take together, answers fetched, in milliseconds."""
        started = time.perf_counter()
        for statement in statements:
            named = {name: value for name, value in values.items() if f"${name}" in statement}
            self._connection.execute(statement, named or None).fetchall()
        return (time.perf_counter() - started) * 1000

    def copy_csv(self) -> float:
        """Rows a second of a plain COPY of every event, its names joined, to csv."""
        target = self._file.with_name("floor.csv")
        started = time.perf_counter()
        ((rows,),) = self._connection.execute(
            "COPY (SELECT * FROM events e JOIN models m ON m.code = e.model_code"
            f" JOIN tag_sets t ON t.code = e.tag_code) TO '{target}' (FORMAT csv, HEADER true)"
        ).fetchall()
        took = time.perf_counter() - started
        target.unlink()
        return float(rows / took)

    def close(self) -> int:
        """Close the file; bytes of its blocks that are in use (how many lie free varies)."""
        self._connection.execute("CHECKPOINT")
        ((size, used),) = self._connection.execute(
            "SELECT block_size, used_blocks FROM pragma_database_size()"
        ).fetchall()
        self._connection.close()
        return int(size) * int(used)
