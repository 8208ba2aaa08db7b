"""Lines of text that a statement makes, written as they lie in Arrow's memory: end to end.

COPY would look at every byte of them, or keep many rows of them waiting.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

_BATCH_ROWS: Final = 4_096
"""One to three megabytes of text: made, copied and written while they are in the cache."""
_WRITE_BACK_BYTES: Final = 16 << 20
"""How much may wait for the disk: what durable writes beside an export, and its end, wait for."""


def write(
    cursor: duckdb.DuckDBPyConnection,
    statement: str,
    values: list[object],
    path: Path,
    *,
    header: str,
    written: Callable[[int], None],
) -> int:
    """Write `header` and what `statement` selects, one text a row; how many rows there were.

    `written` hears their number after every batch. InterruptException as from any statement,
    OSError when the file can not be written.
    """
    rows = size = begun = 0
    with (
        path.open("wb") as file,
        cursor.sql(statement, params=values).to_arrow_reader(_BATCH_ROWS) as lines,
    ):
        size = file.write(header.encode())
        for batch in _each(lines):
            (texts,) = batch.columns
            _, places, text = texts.buffers()
            ends = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1]
            size += file.write(memoryview(text)[ends[0] : ends[-1]])
            if size - begun >= _WRITE_BACK_BYTES:
                _write_back(file.fileno(), begun, size)
                begun = size
            rows += len(texts)
            written(rows)
    return rows


def _write_back(descriptor: int, start: int, end: int) -> None:
    """Let the disk begin with a part of a file, without waiting for it."""
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)


def _each(lines: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what Arrow makes of an interrupt is an interrupt again."""
    try:
        yield from lines
    except OSError as error:
        if str(error).startswith("INTERRUPT"):
            raise duckdb.InterruptException(str(error)) from None
        raise
