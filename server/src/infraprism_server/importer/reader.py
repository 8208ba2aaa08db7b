"""Files as blocks of rows, in bounded memory: CSV, JSON lines and Parquet, plain, gzip or zstd.

A row that can not be read is reported with its line and skipped; the rest of the file goes on.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from infraprism_server.errors import InfraPrismError
from infraprism_server.importer.block import Block, RecordBlock, TableBlock, Unreadable
from infraprism_server.importer.mapping import Columns

FORMATS: Final = ("csv", "jsonl", "parquet")
BLOCK_ROWS: Final = 1_000
MAX_LINE_BYTES: Final = 1 << 20

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_DELIMITERS = ",\t;|"


class UnreadableFileError(InfraPrismError):
    """The file as a whole can not be read; the message says why and what to do."""


class Source(Protocol):
    """One open file."""

    def columns(self) -> Columns:
        """The names that a mapping can use."""
        ...

    def blocks(self) -> Iterator[Block]:
        """All rows, in order, once."""
        ...

    def fraction(self) -> float:
        """How much of the file has been read, 0 to 1."""
        ...

    def close(self) -> None: ...


def format_of(path: Path) -> str:
    """The format that a file's name says. UnreadableFileError when it says none."""
    name = path.name.lower()
    for packed in (".gz", ".zst", ".zstd"):
        name = name.removesuffix(packed)
    found = _SUFFIXES.get(Path(name).suffix)
    if found is None:
        raise UnreadableFileError(f"{path}: say what it is with --format {', '.join(FORMATS)}")
    return found


def open_source(path: Path, file_format: str | None = None) -> Source:
    """The file, open at its first row."""
    chosen = file_format or format_of(path)
    try:
        if chosen == "parquet":
            return _ParquetSource(path)
        return _CsvSource(path) if chosen == "csv" else _JsonLinesSource(path)
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror or error}") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnreadableFileError(f"{path} is not a Parquet file: {error}") from None


class _Stream:
    """A file's decompressed bytes, and how far it has been read on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = max(path.stat().st_size, 1)
        self._disk = path.open("rb")
        magic = self._disk.read(4)
        self._disk.seek(0)
        unpacked: Any = self._disk
        if magic[:2] == b"\x1f\x8b":
            unpacked = gzip.GzipFile(fileobj=self._disk)
        elif magic == b"\x28\xb5\x2f\xfd":
            unpacked = io.BufferedReader(
                zstandard.ZstdDecompressor().stream_reader(self._disk, read_across_frames=True)
            )
        self.bytes = cast("IO[bytes]", unpacked)

    def fraction(self) -> float:
        return min(self._disk.tell() / self._size, 1.0)

    def broken(self, error: Exception) -> UnreadableFileError:
        return UnreadableFileError(f"{self._path} ends or breaks in the middle: {error}")

    def close(self) -> None:
        self.bytes.close()
        self._disk.close()


_BROKEN = (EOFError, OSError, zstandard.ZstdError)


class _CsvSource:
    """Delimited text with a header; the delimiter is the one that the header has most of."""

    def __init__(self, path: Path) -> None:
        self._stream = _Stream(path)
        text = io.TextIOWrapper(
            self._stream.bytes, encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        try:
            first = text.readline(MAX_LINE_BYTES)
        except _BROKEN as error:
            raise self._stream.broken(error) from None
        delimiter = max(_DELIMITERS, key=first.count)
        names = next(csv.reader([first], delimiter=delimiter), [])
        self._names = tuple(name.strip() for name in names)
        if not any(self._names):
            raise UnreadableFileError(f"{path}: the first line has no column names")
        twice = [name for name in self._names if self._names.count(name) > 1]
        if twice:
            raise UnreadableFileError(f"{path}: the column {twice[0]!r} is there twice")
        self._rows = csv.reader(text, delimiter=delimiter)

    def columns(self) -> Columns:
        return Columns(self._names, may_have_more=False)

    def blocks(self) -> Iterator[Block]:
        width = len(self._names)
        more = True
        while more:
            rows: list[list[str]] = []
            lines: list[int] = []
            unreadable: list[Unreadable] = []
            more = False
            reader = self._rows
            try:
                for row in reader:
                    if len(row) == width:
                        rows.append(row)
                        lines.append(reader.line_num + 1)
                    elif row:
                        fault = f"has {len(row)} columns where the header has {width}"
                        unreadable.append(Unreadable(reader.line_num + 1, fault))
                    if len(rows) + len(unreadable) >= BLOCK_ROWS:
                        more = True
                        break
            except csv.Error as error:
                unreadable.append(Unreadable(reader.line_num + 1, f"is not CSV: {error}"))
                more = True
            except _BROKEN as error:
                raise self._stream.broken(error) from None
            if rows or unreadable:
                cells: list[list[object]] = [list(cells) for cells in zip(*rows, strict=True)]
                cells = cells or [[] for _ in self._names]
                yield TableBlock(dict(zip(self._names, cells, strict=True)), lines, unreadable)

    def fraction(self) -> float:
        return self._stream.fraction()

    def close(self) -> None:
        self._stream.close()


class _JsonLinesSource:
    """One JSON object a line; numbers with a fraction stay exact."""

    def __init__(self, path: Path) -> None:
        self._stream = _Stream(path)
        self._decode = msgspec.json.Decoder(float_hook=_exact).decode
        self._line = 0
        self._path = path
        self._first = self._read_block()
        if self._first is not None and not self._first.lines and self._first.unreadable:
            raise UnreadableFileError(
                f"{path} is not JSON lines (one object a line)" + self._advice
            )

    _advice = ""

    def columns(self) -> Columns:
        names = () if self._first is None else self._first.names()
        return Columns(names, may_have_more=True)

    def blocks(self) -> Iterator[Block]:
        block = self._first
        while block is not None:
            yield block
            block = self._read_block()

    def fraction(self) -> float:
        return self._stream.fraction()

    def close(self) -> None:
        self._stream.close()

    def _read_block(self) -> RecordBlock | None:
        """The next rows, None at the end."""
        records: list[dict[str, object]] = []
        raw: list[bytes] = []
        lines: list[int] = []
        unreadable: list[Unreadable] = []
        while len(records) + len(unreadable) < BLOCK_ROWS:
            try:
                line = self._stream.bytes.readline(MAX_LINE_BYTES)
            except _BROKEN as error:
                raise self._stream.broken(error) from None
            if not line:
                break
            self._line += 1
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                unreadable.append(Unreadable(self._line, f"is over {MAX_LINE_BYTES:,} bytes"))
                while line and not line.endswith(b"\n"):
                    line = self._stream.bytes.readline(MAX_LINE_BYTES)
                continue
            line = line.strip()
            if not line:
                continue
            try:
                record = self._decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if self._line == 1 and line.startswith(b"["):
                    self._advice = ": it is a JSON array; convert it with  jq -c '.[]'"
                unreadable.append(Unreadable(self._line, f"is not JSON: {error}"))
                continue
            if isinstance(record, dict):
                records.append(record)
                raw.append(line)
                lines.append(self._line)
            else:
                if isinstance(record, list):
                    self._advice = ": it is a JSON array; convert it with  jq -c '.[]'"
                unreadable.append(Unreadable(self._line, "is not a JSON object"))
        if not lines and not unreadable:
            return None
        return RecordBlock(records, raw, lines, unreadable)


class _ParquetSource:
    """A Parquet file, row group by row group; its rows are numbered from 1."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path, pre_buffer=False)
        self._rows = max(self._file.metadata.num_rows, 1)
        self._done = 0
        self._names = tuple(self._file.schema_arrow.names)
        if len(set(self._names)) != len(self._names):
            raise UnreadableFileError(f"{path}: two columns have one name")

    def columns(self) -> Columns:
        names = list(self._names)
        for field in self._file.schema_arrow:
            if pa.types.is_struct(field.type):
                names += [f"{field.name}.{child.name}" for child in field.type]
        return Columns(tuple(names), may_have_more=False)

    def blocks(self) -> Iterator[Block]:
        for batch in self._file.iter_batches(batch_size=BLOCK_ROWS):
            count = batch.num_rows
            lines = list(range(self._done + 1, self._done + count + 1))
            cells = {name: _cells(batch.column(i)) for i, name in enumerate(self._names)}
            self._done += count
            yield TableBlock(cells, lines, [])

    def fraction(self) -> float:
        return float(min(self._done / self._rows, 1.0))

    def close(self) -> None:
        self._file.close()


def _exact(number: str) -> object:
    """A JSON number with a fraction or an exponent, as it was written."""
    return Decimal(number)


def _cells(column: pa.Array) -> list[object]:
    """A column's values; times as ISO text, so that they mean the same as in the other formats."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        micro = column.cast(pa.timestamp("us", tz=kind.tz), safe=False).cast(pa.int64())
        texts = micro.cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
        ending = "" if kind.tz is None else "Z"
        return [None if text is None else text + ending for text in texts]
    if pa.types.is_date(kind):
        column = column.cast(pa.string())
    cells: list[object] = column.to_pylist()
    return cells
