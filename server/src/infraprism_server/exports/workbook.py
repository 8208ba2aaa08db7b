"""xlsx from an exported csv, row by row: memory stays flat, and no text becomes a formula."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from infraprism_server.errors import Unavailable

MAX_ROWS: Final = 1_048_575
"""What a sheet holds below its line of names."""
MAX_CELL_CHARS: Final = 32_767
"""What a cell holds; the rest of a longer text is left out."""
_PROGRESS_ROWS: Final = 5_000
_TEXT_COLUMNS: Final = frozenset(
    {
        *("id", "timestamp", "model", "provider", "entity_type", "entity_id", "tags"),
        *("service_tier", "session_id", "error_type", "error_code", "cost_source"),
    }
)


def write_workbook(source: Path, target: Path, progress: Callable[[int], None]) -> int:
    """Write the csv as a workbook with one sheet; rows written, which `progress` hears now and
    then. What it raises ends the work. Unavailable when the disk is full.
    """
    # Imported here: it takes a while and only workbooks need it. It has no types.
    xlsxwriter = import_module("xlsxwriter")
    with TemporaryDirectory(
        prefix=f"{target.name}.", suffix=".partial", dir=target.parent, ignore_cleanup_errors=True
    ) as folder:
        try:
            # Numbers are exact to 15 digits there, as everything in a spreadsheet is.
            book = xlsxwriter.Workbook(
                str(target),
                {
                    "constant_memory": True,
                    "strings_to_formulas": False,
                    "strings_to_urls": False,
                    "tmpdir": folder,
                    "use_zip64": True,  # a full sheet of long texts is over 2 GB before packing
                },
            )
            # Closed only when it is whole: closing packs the sheet, which takes a while.
            rows = _write_rows(book.add_worksheet("events"), source, progress)
            book.close()
        except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
            raise Unavailable("the export can not be written: is the disk full?") from error
    return rows


def _write_rows(sheet: Any, source: Path, progress: Callable[[int], None]) -> int:  # noqa: ANN401
    rows = 0
    sheet.freeze_panes(1, 0)
    with source.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        for column, name in enumerate(names):
            sheet.write_string(0, column, name)
        for rows, values in enumerate(reader, 1):
            for column, (name, value) in enumerate(zip(names, values, strict=True)):
                if value == "":
                    continue
                if name == "success":
                    sheet.write_boolean(rows, column, value == "true")
                elif name in _TEXT_COLUMNS:
                    sheet.write_string(rows, column, value[:MAX_CELL_CHARS])
                else:
                    sheet.write_number(rows, column, float(value))
            if rows % _PROGRESS_ROWS == 0:
                progress(rows)
    return rows
