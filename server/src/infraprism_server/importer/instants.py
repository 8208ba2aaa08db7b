"""Columns of timestamps as microseconds since the epoch, UTC. The machine's own zone plays no part.

A whole column is parsed by Arrow when it is of one form; cell by cell otherwise, with the same
result: fractions beyond the microsecond are cut. Numbers are seconds, milliseconds, microseconds
or nanoseconds since the epoch, told apart by their size.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from infraprism_server.clock import MICROSECONDS_PER_SECOND, to_us
from infraprism_server.importer.values import CellError, shown

NAIVE = "has no time zone"
"""The reason of a timestamp without an offset where no zone was given to read it in."""

_MICROSECONDS_OF_UNIT = (
    (10**11, Decimal(1_000_000)),  # seconds
    (10**14, Decimal(1_000)),
    (10**17, Decimal(1)),
    (10**20, Decimal("0.001")),
)
"""Numbers below the first are counted in units of the second."""


def instants(cells: list[object], zone: ZoneInfo | None) -> tuple[list[int | None], dict[int, str]]:
    """The instants of a column, and the reasons of those cells that are none, by row."""
    whole = _whole_column(cells, zone)
    if whole is not None:
        return whole, {}
    found: list[int | None] = []
    faults: dict[int, str] = {}
    for row, cell in enumerate(cells):
        try:
            found.append(instant(cell, zone))
        except CellError as error:
            found.append(None)
            faults[row] = str(error)
    return found, faults


def instant(cell: object, zone: ZoneInfo | None) -> int:
    """The instant in one cell. CellError says why there is none.

    Of the two instants of an hour that clocks pass twice the earlier is meant; a time of day that
    clocks skip is refused, because it says that the zone is wrong.
    """
    if cell is None or cell == "":
        raise CellError("is missing")
    number = _epoch_number(cell)
    if number is not None:
        return number
    if not isinstance(cell, str):
        raise CellError(f"{shown(cell)} is not a time")
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise CellError(f"{shown(cell)} is not an ISO 8601 time") from None
    if moment.tzinfo is not None:
        return _checked(moment)
    if zone is None:
        raise CellError(f"{shown(cell)} {NAIVE}")
    placed = moment.replace(tzinfo=zone)
    instant_us = _checked(placed)
    there = datetime.fromtimestamp(instant_us // MICROSECONDS_PER_SECOND, zone)
    if there.replace(tzinfo=None, fold=0) != moment.replace(microsecond=0):
        raise CellError(f"{shown(cell)} does not exist in {zone.key}: clocks were moved over it")
    return instant_us


def iso_texts(instants_us: list[int]) -> list[str]:
    """The instants as the API takes them."""
    texts = pa.array(instants_us, pa.int64()).cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
    return [f"{text[:10]}T{text[11:]}Z" for text in texts]


def _checked(moment: datetime) -> int:
    try:
        return to_us(moment)
    except OverflowError:
        raise CellError("is outside the calendar") from None


def _epoch_number(cell: object) -> int | None:
    """Microseconds, when the cell is a number since the epoch."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str) and not cell.strip().replace(".", "", 1).isdecimal():
        return None
    try:
        number = Decimal(str(cell).strip())
    except InvalidOperation:
        return None
    if number.is_finite() and number >= 0:
        for below, unit in _MICROSECONDS_OF_UNIT:
            if number < below:
                return int(number * unit)
    raise CellError(f"{shown(cell)} is not a time")


def _whole_column(cells: list[object], zone: ZoneInfo | None) -> list[int | None] | None:
    """All instants at once; None when the column is not of one form that Arrow reads."""
    try:
        texts = pa.array(cells, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    if texts.null_count:
        return None
    kinds = [pa.timestamp("ns", tz="UTC")]
    if zone is not None and zone.key == "UTC":
        kinds.append(pa.timestamp("ns"))
    for kind in kinds:
        try:
            nanoseconds = pc.cast(texts, kind).cast(pa.int64())
        except pa.ArrowInvalid:
            continue
        found: list[int | None] = [value // 1_000 for value in nanoseconds.to_pylist()]
        return found
    return None
