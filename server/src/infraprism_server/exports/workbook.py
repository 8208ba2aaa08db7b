"""xlsx from an exported csv, row by row: memory stays flat, and no text becomes a formula.

XlsxWriter makes the book and the line of names; the rows are put into its sheet as they are packed.
Why not all by it: docs/decisions/0009-rows-of-a-workbook.md.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from infraprism_server.errors import Unavailable
from infraprism_server.exports.sheet_rows import SheetRows, column_letters

MAX_ROWS: Final = 1_048_575
"""What a sheet holds below its line of names."""
_SHEET: Final = "xl/worksheets/sheet1.xml"
_END_OF_ROWS: Final = "</sheetData>"
_PACK_LEVEL: Final = 4
"""Of deflate: a fifth less CPU than the usual 6, for files that are an eighth larger."""
_CHUNK_ROWS: Final = 100
"""Made in 2 ms with the interpreter's lock, and then packed in as long without it."""
_PROGRESS_ROWS: Final = 5_000


def write_workbook(source: Path, target: Path, rows: int, progress: Callable[[int], None]) -> None:
    """Write a csv of so many rows as a workbook with one sheet.

    `progress` hears now and then how many rows are done; what it raises ends the work and leaves
    nothing behind. Unavailable when the disk is full.
    """
    try:
        with (
            source.open(encoding="utf-8", newline="") as file,
            ZipFile(target, "w", ZIP_DEFLATED, compresslevel=_PACK_LEVEL) as packed,
        ):
            lines = csv.reader(file)
            names = next(lines)
            head, tail = _put_book(packed, names, rows)
            # A full sheet is over 2 GB before packing.
            with packed.open(_SHEET, "w", force_zip64=True) as sheet:
                sheet.write(head)
                for chunk in _chunks(names, lines, progress):
                    sheet.write(chunk)
                sheet.write(tail)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise Unavailable("the export can not be written: is the disk full?") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _put_book(packed: ZipFile, names: list[str], rows: int) -> tuple[bytes, bytes]:
    """Put everything but the sheet into the package; what stands before and after its rows."""
    # Imported here: it takes a while and only workbooks need it. It has no types.
    xlsxwriter = import_module("xlsxwriter")
    written = BytesIO()
    book = xlsxwriter.Workbook(written, {"in_memory": True})
    sheet = book.add_worksheet("events")
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(names):
        sheet.write_string(0, column, name)
    book.close()
    with ZipFile(written) as empty:
        for name in empty.namelist():
            if name != _SHEET:
                packed.writestr(name, empty.read(name))
        head, end, tail = empty.read(_SHEET).decode().partition(_END_OF_ROWS)
    corner = f"{column_letters(len(names) - 1)}{rows + 1}"
    head, sized = re.subn('<dimension ref="[^"]*"/>', f'<dimension ref="A1:{corner}"/>', head)
    if not end or sized != 1:
        raise RuntimeError("the empty sheet is not as it was")  # of another XlsxWriter: see tests
    return head.encode(), (end + tail).encode()


def _chunks(
    names: list[str], lines: Iterator[list[str]], progress: Callable[[int], None]
) -> Iterator[bytes]:
    """The rows' XML, some rows at a time."""
    form = SheetRows(names)
    texts: list[str] = []
    for number, values in enumerate(lines, 2):
        texts.append(form.text(number, values))
        if len(texts) == _CHUNK_ROWS:
            yield "".join(texts).encode()
            texts.clear()
            if (number - 1) % _PROGRESS_ROWS == 0:
                progress(number - 1)
    yield "".join(texts).encode()
