"""Blocks of rows as events for the API, column by column; the rows that can not be, with reasons.

A row without an id gets one from its time, its content, its ordinal among identical rows of its
file, and the entity that was given for the whole file: the same file again gives the same ids.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import repeat
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.ids import derived_event_id
from infraprism_server.importer.block import Block
from infraprism_server.importer.instants import NAIVE, instants, iso_texts
from infraprism_server.importer.mapping import MappingError, Plan
from infraprism_server.importer.ordinals import Ordinals
from infraprism_server.importer.values import CellError, convert_column, text

Event = dict[str, object]


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not taken, by this program or by the server."""

    line: int
    code: str
    param: str | None
    message: str
    row: object = None


@dataclass(frozen=True, slots=True)
class Translated:
    """A block's events, the line each came from, and the rest."""

    events: list[Event]
    lines: list[int]
    rows: list[int]
    """Which row of the block each event was."""
    rejected: list[Rejection]
    count: int
    """How many rows of the file this stands for."""


class Translator:
    """Translates one file's blocks, in their order (ordinals depend on it)."""

    def __init__(self, plan: Plan, zone: ZoneInfo | None, shift_us: int = 0) -> None:
        self._plan = plan
        self._zone = zone
        self._shift_us = shift_us
        self._ordinals = Ordinals()
        whose = [plan.constants.get("entity_type"), plan.constants.get("entity_id")]
        self._hash = hashlib.sha256(msgspec.json.encode(whose))
        self._first = True

    def translate(self, block: Block) -> Translated:
        """The events of the next block. MappingError when its times need a zone to be given."""
        rejected = [
            Rejection(bad.line, "unreadable", None, f"The line {bad.reason}")
            for bad in block.unreadable
        ]
        count = len(block.lines) + len(rejected)
        faults: dict[int, tuple[str, str]] = {}
        columns = self._columns(block, faults)
        contents = block.contents()
        for row, content in enumerate(contents):
            if content is None:
                faults[row] = ("", "The line is not UTF-8")
        self._add_ids(block, columns, contents, faults)
        events = self._events(columns, len(block.lines))
        if not faults:
            rows = list(range(len(events)))
            return Translated(events, block.lines, rows, rejected, count)
        rejected += [
            Rejection(block.lines[row], "invalid_value", param or None, message, block.record(row))
            for row, (param, message) in sorted(faults.items())
        ]
        rows = [row for row in range(len(events)) if row not in faults]
        return Translated(
            [events[row] for row in rows], [block.lines[row] for row in rows], rows, rejected, count
        )

    def latest(self, block: Block) -> int | None:
        """The latest instant of a block's rows, before any shift."""
        found, _ = instants(block.column(self._plan.columns["timestamp"]), self._zone)
        return max((instant for instant in found if instant is not None), default=None)

    def _columns(self, block: Block, faults: dict[int, tuple[str, str]]) -> dict[str, list[object]]:
        """Every field's values by row, in the order they are sent."""
        columns: dict[str, list[object]] = {"id": []}
        for field, path in self._plan.columns.items():
            cells = block.column(path)
            if field == "timestamp":
                times, reasons = instants(cells, self._zone)
                self._refuse_naive(reasons, len(cells))
                columns[field] = [0 if at is None else at + self._shift_us for at in times]
            else:
                columns[field], reasons = convert_column(field, cells)
            for row, reason in reasons.items():
                faults.setdefault(row, (field, f"{field} {reason}"))
        for field, value in self._plan.constants.items():
            columns[field] = list(repeat(value, len(block.lines)))
        self._assume_model(columns, len(block.lines))
        self._add_tags(block, columns, faults)
        if "entity_id" in columns and "entity_type" in self._plan.constants:
            columns["entity_type"] = [
                None if entity is None else self._plan.constants["entity_type"]
                for entity in columns["entity_id"]
            ]
        return columns

    def _refuse_naive(self, reasons: dict[int, str], count: int) -> None:
        """Stop before anything is sent when no time of the first block has a zone."""
        if self._first and reasons and len(reasons) == count:
            shown = next(iter(reasons.values()))
            if shown.endswith(NAIVE):
                raise MappingError(
                    f"timestamp {shown}: add --timezone UTC, or the zone it was written in, "
                    "such as --timezone Europe/Berlin"
                )
        self._first = False

    def _assume_model(self, columns: dict[str, list[object]], count: int) -> None:
        if self._plan.assumed_model is None:
            return
        for field, assumed in zip(("provider", "model"), self._plan.assumed_model, strict=True):
            known = columns.get(field)
            if known is None:
                columns[field] = list(repeat(assumed, count))
            else:
                columns[field] = [assumed if value is None else value for value in known]

    def _add_tags(
        self, block: Block, columns: dict[str, list[object]], faults: dict[int, tuple[str, str]]
    ) -> None:
        plan = self._plan
        if not plan.tag_columns and not plan.tag_constants:
            return
        count = len(block.lines)
        keys = (*plan.tag_constants, *plan.tag_columns)
        cells: list[list[str | None]] = [
            list(repeat(value, count)) for value in plan.tag_constants.values()
        ]
        for key, path in plan.tag_columns.items():
            cells.append(_texts(block.column(path), f"tags.{key}", faults))
        single = [
            {key: value for key, value in zip(keys, values, strict=True) if value is not None}
            for values in zip(*cells, strict=True)
        ]
        whole = columns.get("tags") or list(repeat(None, count))
        columns["tags"] = [
            {**given, **named} if isinstance(given, dict) else named or None
            for given, named in zip(whole, single, strict=True)
        ]

    def _add_ids(
        self,
        block: Block,
        columns: dict[str, list[object]],
        contents: list[bytes | None],
        faults: dict[int, tuple[str, str]],
    ) -> None:
        """Fill the ids, and turn the instants into text."""
        times: list[int] = columns["timestamp"]  # type: ignore[assignment]
        given = columns["id"] or list(repeat(None, len(block.lines)))
        ids: list[object] = []
        start, ordinal_of = self._hash, self._ordinals.next
        for row, (known, at, content) in enumerate(zip(given, times, contents, strict=True)):
            if known is not None or content is None or row in faults:
                ids.append(known)
                continue
            digest = start.copy()
            digest.update(content)
            ordinal = ordinal_of(digest.digest())
            ids.append(derived_event_id(at, digest.hexdigest(), str(ordinal)))
        columns["id"] = ids
        columns["timestamp"] = list(iso_texts(times))

    def _events(self, columns: dict[str, list[object]], count: int) -> list[Event]:
        used = {k: v for k, v in columns.items() if any(value is not None for value in v)}
        if not used:
            return [{} for _ in range(count)]
        names = tuple(used)
        rows = zip(*used.values(), strict=True)
        if all(None not in values for values in used.values()):
            return [dict(zip(names, row, strict=True)) for row in rows]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in rows
        ]


def _texts(cells: list[object], param: str, faults: dict[int, tuple[str, str]]) -> list[str | None]:
    """Cells of one tag."""
    if set(map(type, cells)) <= {str}:
        return [cell or None for cell in cells]  # type: ignore[misc]
    found: list[str | None] = []
    for row, cell in enumerate(cells):
        try:
            found.append(text(cell))
        except CellError as error:
            found.append(None)
            faults.setdefault(row, (param, f"{param} {error}"))
    return found
