"""xlsx from an exported csv, row by row: memory stays flat, and no text becomes a formula."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

MAX_ROWS: Final = 1_048_575
"""What a sheet holds below its line of names."""
_PROGRESS_ROWS: Final = 5_000
_TEXT_COLUMNS: Final = frozenset(
    {
        *("id", "timestamp", "model", "provider", "entity_type", "entity_id", "tags"),
        *("service_tier", "session_id", "error_type", "error_code", "cost_source"),
    }
)


def write_workbook(source: Path, target: Path, progress: Callable[[int], None]) -> int:
    """Write the csv as a workbook with one sheet; rows written, which `progress` hears now and
    then. What it raises ends the work.
    """
    # Imported here: it takes a while and only workbooks need it. It has no types.
    book = import_module("xlsxwriter").Workbook(
        str(target),
        # Numbers are exact to 15 digits there, as everything in a spreadsheet is.
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "tmpdir": str(target.parent),
        },
    )
    rows = 0
    try:
        sheet = book.add_worksheet("events")
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
                        sheet.write_string(rows, column, value)
                    else:
                        sheet.write_number(rows, column, float(value))
                if rows % _PROGRESS_ROWS == 0:
                    progress(rows)
    finally:
        book.close()
    return rows
