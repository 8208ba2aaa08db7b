"""Some rows of a file: cells by column, the text each row is known by, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is not one: which line, and what is wrong with it."""

    line: int
    reason: str


class Block(Protocol):
    """Rows in the file's order; `lines` has one number a readable row."""

    @property
    def lines(self) -> list[int]: ...

    @property
    def unreadable(self) -> list[Unreadable]: ...

    def column(self, path: str) -> list[object]:
        """One cell a row; None where there is none. A path may go into objects by dots."""
        ...

    def contents(self) -> list[bytes | None]:
        """What the rows are made of, for ids; None for a row that is not UTF-8."""
        ...

    def record(self, row: int) -> object:
        """One row as it was, for the file of rejected lines."""
        ...


@dataclass(frozen=True, slots=True)
class TableBlock:
    """Rows of a table: every row has every column."""

    cells: dict[str, list[object]]
    lines: list[int]
    unreadable: list[Unreadable] = field(default_factory=list)

    def column(self, path: str) -> list[object]:
        found = self.cells.get(path)
        if found is not None:
            return found
        name, _, rest = path.partition(".")
        return [_inside(cell, rest) for cell in self.cells.get(name, [None] * len(self.lines))]

    def contents(self) -> list[bytes | None]:
        rows = zip(*self.cells.values(), strict=True)
        try:
            return ["\x1f".join(row).encode() for row in rows]
        except (TypeError, UnicodeEncodeError):
            return [_encoded(row) for row in zip(*self.cells.values(), strict=True)]

    def record(self, row: int) -> object:
        return {name: cells[row] for name, cells in self.cells.items()}


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """Rows that are JSON objects, each with fields of its own."""

    records: list[dict[str, object]]
    raw: list[bytes]
    lines: list[int]
    unreadable: list[Unreadable] = field(default_factory=list)

    def names(self) -> tuple[str, ...]:
        """Every path that some row has, in the order of appearance."""
        found: dict[str, None] = {}
        for record in self.records:
            _collect(record, "", found)
        return tuple(found)

    def column(self, path: str) -> list[object]:
        if "." not in path:
            return [record.get(path) for record in self.records]
        return [_inside(record, path) for record in self.records]

    def contents(self) -> list[bytes | None]:
        return list(self.raw)

    def record(self, row: int) -> object:
        return self.records[row]


_Names: TypeAlias = dict[str, None]
_MAX_NAMES = 1_000


def _collect(record: Mapping[str, object], prefix: str, found: _Names) -> None:
    for name, value in record.items():
        if len(found) >= _MAX_NAMES:
            return
        found[prefix + name] = None
        if isinstance(value, dict):
            _collect(value, f"{prefix}{name}.", found)


def _inside(cell: object, path: str) -> object:
    """What stands at a dotted path in an object; a name that has dots itself is found first."""
    if not isinstance(cell, Mapping):
        return None
    if path in cell:
        return cell[path]
    name, dot, rest = path.partition(".")
    return _inside(cell.get(name), rest) if dot else None


def _encoded(row: tuple[object, ...]) -> bytes | None:
    """A row with typed or broken cells, or None when it is not Unicode."""
    cells = [cell if isinstance(cell, str) else repr(cell) for cell in row]
    try:
        return "\x1f".join(cells).encode()
    except UnicodeEncodeError:
        return None
