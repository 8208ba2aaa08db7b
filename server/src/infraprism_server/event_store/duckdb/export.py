"""Export from one snapshot with flat memory: DuckDB writes parquet itself, and makes the lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb

from infraprism_server.errors import Unavailable
from infraprism_server.event_store.contract import EventFilter, ExportFormat
from infraprism_server.event_store.duckdb import csv_lines, lines
from infraprism_server.event_store.duckdb.block_cache import BlockCache
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.filters import select

_PROGRESS_SECONDS: Final = 0.25
_PARQUET: Final = "FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER false, ROW_GROUP_SIZE 24_576"
"""Every thread holds a group of rows until it is whole: the usual size would take 300 MB."""

_MOMENT: Final = (
    "CASE WHEN e.ts % 1000000 = 0 THEN strftime(make_timestamp(e.ts), '%Y-%m-%dT%H:%M:%SZ')"
    " ELSE strftime(make_timestamp(e.ts), '%Y-%m-%dT%H:%M:%S.%fZ') END"
)
# Multiplied, not divided: the quotient of two decimals would pass through a double.
_DOLLARS: Final = "{}::DECIMAL(19, 0) * 0.000000000001::DECIMAL(12, 12)"
# The same digits: a decimal of 18 is one machine word, and written in half the time.
_DOLLARS_TEXT: Final = (
    "CASE WHEN {0} BETWEEN -999999999999999999 AND 999999999999999999"
    " THEN ({0}::DECIMAL(18, 0) * 0.000000000001::DECIMAL(12, 12))::VARCHAR"
    f" ELSE ({_DOLLARS.format('{0}')})::VARCHAR END"
)


def export(
    database: Database,
    where: EventFilter,
    file_format: ExportFormat,
    path: Path,
    progress: Callable[[float], None],
) -> int:
    """Write every matching event to `path`; how many there were."""
    with database.snapshot(timed=False) as cursor:
        selection = select(cursor, where)
        found = selection.events(selection.start_us, selection.end_us)
        text = f"{found.text} AND false" if selection.nothing else found.text
        events = f"SELECT events.* FROM {text}"  # noqa: S608
        values = [*found.values, where.account, where.account]
        parts = _Parts(cursor)
        with (
            BlockCache(cursor, database.memory_limit) as cache,
            _Watch(cursor, cache, parts.done, progress) as watch,
        ):
            try:
                if file_format == "parquet":
                    return _write_parquet(cursor, events, values, path)
                count = f"SELECT count(*) FROM {text}"  # noqa: S608
                ((parts.total,),) = cursor.execute(count, found.values).fetchall()
                statement, header = _lines(file_format, events)
                return lines.write(
                    cursor, statement, values, path, header=header, written=parts.written
                )
            except (duckdb.InterruptException, duckdb.IOException, OSError) as error:
                if watch.raised is not None:
                    raise watch.raised from None
                if isinstance(error, duckdb.InterruptException):
                    raise
                raise Unavailable("the export can not be written: is the disk full?") from error


def _write_parquet(
    cursor: duckdb.DuckDBPyConnection, events: str, values: list[object], path: Path
) -> int:
    cursor.execute("SET enable_progress_bar = true")
    cursor.execute("SET enable_progress_bar_print = false")
    target = str(path).replace("'", "''")
    selected = _select(events, _columns("parquet"))
    ((rows,),) = cursor.execute(f"COPY ({selected}) TO '{target}' ({_PARQUET})", values).fetchall()
    return int(rows)


class _Parts:
    """How much of an export is done: of lines that is counted, a COPY is asked."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self.total = 0
        self._rows = 0
        self._cursor = cursor

    def written(self, rows: int) -> None:
        """Hear how many rows are written so far."""
        self._rows = rows

    def done(self) -> float:
        """The part, 0 to 1."""
        part = self._rows / self.total if self.total else self._cursor.query_progress() / 100
        return min(max(part, 0.0), 1.0)


class _Watch:
    """Tells how far a statement is while it runs; what `progress` raises interrupts it."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        cache: BlockCache,
        done: Callable[[], float],
        progress: Callable[[float], None],
    ) -> None:
        self.raised: Exception | None = None
        self._cursor = cursor
        self._cache = cache
        self._part_done = done
        self._progress = progress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="export-progress", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _tell(self) -> None:
        while not self._done.wait(_PROGRESS_SECONDS):
            part = self._part_done()
            try:
                self._cache.trim()
                self._progress(part)
            except Exception as error:  # noqa: BLE001 - the caller's, raised where it waits
                self.raised = error
                # Until it has ended: an interrupt between two statements is lost.
                while not self._done.wait(0.01):
                    self._cursor.interrupt()
                return


def _lines(file_format: ExportFormat, events: str) -> tuple[str, str]:
    """What selects the lines, and the one above them.

    Parameters as in `_select`.
    """
    if file_format == "csv":
        moment, dollars = _MOMENT, _DOLLARS_TEXT
        return csv_lines.statement(events, moment=moment, dollars=dollars), csv_lines.HEADER
    selected = _select(events, _columns("json"))
    return f"SELECT concat(to_json(row), chr(10)) FROM ({selected}) row", ""  # noqa: S608


def _select(events: str, columns: str) -> str:
    """Columns of the selected events; its parameters are theirs, and then twice the account."""
    return f"""SELECT {columns} FROM ({events}) e
        JOIN models m ON m.code = e.model_code
        LEFT JOIN entities n ON n.code = e.entity_code AND n.account = ?
        LEFT JOIN tag_sets t ON t.code = e.tag_code AND t.account = ?"""  # noqa: S608


def _columns(file_format: ExportFormat) -> str:
    """One expression for each of export_columns.EXPORT_COLUMNS, in their order."""

    tags = "coalesce(t.tags, '{}')"
    expressions = {
        "id": "coalesce(e.id_text, 'evt_' || replace(e.id::VARCHAR, '-', ''))",
        "timestamp": "make_timestamptz(e.ts)" if file_format == "parquet" else _MOMENT,
        "model": "m.model",
        "provider": "m.provider",
        "input_tokens": "e.input_tokens",
        "output_tokens": "e.output_tokens",
        "cost_usd": _DOLLARS.format("e.cost_pico"),
        "latency_ms": "e.latency_ms",
        "entity_type": "n.entity_type",
        "entity_id": "n.entity_id",
        "tags": f"{tags}::JSON" if file_format == "json" else tags,
        "success": "e.success",
        "total_tokens": "e.input_tokens::BIGINT + e.output_tokens",
        "cache_read_input_tokens": "e.cache_read_input_tokens",
        "cache_write_input_tokens": "e.cache_write_input_tokens",
        "cache_write_1h_input_tokens": "e.cache_write_1h_input_tokens",
        "reasoning_output_tokens": "e.reasoning_output_tokens",
        "input_audio_tokens": "e.input_audio_tokens",
        "output_audio_tokens": "e.output_audio_tokens",
        "web_search_requests": "e.web_search_requests",
        "service_tier": "coalesce(e.service_tier, 'standard')",
        "session_id": "e.session_id",
        "error_type": "e.error_type",
        "error_code": "e.error_code",
        "cost_source": "['computed', 'reported', 'unpriced'][e.cost_source + 1]",
        "computed_cost_usd": _DOLLARS.format(
            "CASE WHEN e.cost_source = 0 THEN e.cost_pico ELSE e.computed_cost_pico END"
        ),
    }
    return ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())
