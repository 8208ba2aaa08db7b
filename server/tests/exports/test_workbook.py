"""A workbook says what its csv says, to a reader that knows no more than the format."""

from __future__ import annotations

import csv
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infraprism_server.background.jobs import LeaseLostError
from infraprism_server.errors import Unavailable
from infraprism_server.event_store.export_columns import EXPORT_COLUMNS
from infraprism_server.exports.sheet_rows import (
    MAX_CELL_CHARS,
    TEXT_COLUMNS,
    SheetRows,
    column_letters,
)
from infraprism_server.exports.workbook import write_workbook

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cell = str | bool | Decimal


def sheet_of(path: Path) -> ET.Element:
    with zipfile.ZipFile(path) as book:
        assert book.testzip() is None
        for name in book.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(book.read(name))
        return ET.fromstring(book.read("xl/worksheets/sheet1.xml"))


def cell_of(cell: ET.Element) -> Cell:
    """A cell's value; it must be a text, a truth or a number, and nothing else."""
    kind = cell.get("t")
    if kind == "inlineStr":
        assert [each.tag for each in cell.iter()] == [MAIN + "c", MAIN + "is", MAIN + "t"]
        text = cell.findtext(f"{MAIN}is/{MAIN}t", "")
        return re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)
    (value,) = cell
    assert value.tag == MAIN + "v"
    if kind == "b":
        return value.text == "1"
    assert kind is None
    return Decimal(value.text or "")


def rows_of(sheet: ET.Element) -> list[dict[str, Cell]]:
    """Rows below the names: values by the letters of their columns."""
    found = []
    for number, row in enumerate(sheet.iter(MAIN + "row"), 1):
        assert row.get("r") == str(number)
        references = [cell.get("r") or "" for cell in row]
        letters = [reference.removesuffix(str(number)) for reference in references]
        assert letters == sorted(letters, key=lambda each: (len(each), each))
        if number > 1:
            found.append({where: cell_of(cell) for where, cell in zip(letters, row, strict=True)})
    return found


def row_of(names: list[str], values: list[str]) -> dict[str, Cell]:
    """What a row's XML says, by the names of its columns."""
    text = SheetRows(names).text(2, list(values))
    row = ET.fromstring(f'<row xmlns="{MAIN[1:-1]}">{text}</row>')[0]
    by_letters = {column_letters(column): name for column, name in enumerate(names)}
    return {by_letters[(cell.get("r") or "").rstrip("0123456789")]: cell_of(cell) for cell in row}


FORMULA = '<r><t>x</t></is></c><c r="B2"><f>1+1</f></c><c r="C2" t="inlineStr"><is><r></r>'


def test_r34_a_text_that_is_made_of_a_workbooks_own_tags_stays_a_text(house) -> None:
    house.events(3, entity_id=FORMULA, session_id="<r><t>rich</t></r>", error_type="</sheetData>")
    sheet = sheet_of(house.file(house.made("xlsx")))
    assert not list(sheet.iter(MAIN + "f"))
    column = {name: column_letters(place) for place, name in enumerate(EXPORT_COLUMNS)}
    for row in rows_of(sheet):
        assert row[column["entity_id"]] == FORMULA
        assert row[column["session_id"]] == "<r><t>rich</t></r>"
        assert row[column["error_type"]] == "</sheetData>"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["<r>", "&amp;", "]]>", "_x0041_", "_x0041_x0042_", " ", "\r\n", "\t", "|", "%s", "a" * 40_000]
)


@given(st.lists(TEXTS, min_size=3, max_size=3))
@example(["<r><t>a</t></r>", "_x005F_", "\x00\x1f\x7f\ufffe\uffff"])
@example([" a", "b ", "😀" * 20_000])
def test_r34_any_text_comes_back_as_it_was_cut_to_what_a_cell_holds(texts: list[str]) -> None:
    def cut(text: str) -> str:
        return text.encode("utf-16-le")[: 2 * MAX_CELL_CHARS].decode("utf-16-le", "ignore")

    names = ["id", "model", "entity_id"]
    wanted = {name: cut(text) for name, text in zip(names, texts, strict=True) if text}
    assert row_of(names, texts) == wanted


def test_numbers_keep_every_digit_and_what_is_empty_is_no_cell() -> None:
    names = ["id", "cost_usd", "latency_ms", "success", "session_id", "input_tokens"]
    row = row_of(names, ["a", "12345678.000000000001", "", "true", "", "0"])
    assert row == {
        "id": "a",
        "cost_usd": Decimal("12345678.000000000001"),
        "success": True,
        "input_tokens": Decimal(0),
    }
    assert row_of(names, ["a&b", "1", "2", "false", "s", "3"])["success"] is False


def test_every_exported_column_is_a_text_a_truth_or_a_number() -> None:
    assert set(EXPORT_COLUMNS) > TEXT_COLUMNS
    assert [column_letters(place) for place in (0, 25, 26, 701, 702)] == [
        *("A", "Z", "AA", "ZZ", "AAA")
    ]


def test_the_book_has_its_names_first_and_its_size_and_tells_how_far_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.xlsx"
    with source.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "input_tokens"])
        lines.writerows([[f"call {number}", number] for number in range(12_345)])
    told: list[int] = []
    write_workbook(source, target, 12_345, told.append)
    sheet = sheet_of(target)
    rows = rows_of(sheet)
    assert told == [5_000, 10_000]
    assert len(rows) == 12_345
    assert rows[-1] == {"A": "call 12344", "B": Decimal(12_344)}
    size = sheet.find(MAIN + "dimension")
    assert size is not None
    assert size.get("ref") == "A1:B12346"
    (pane,) = sheet.iter(MAIN + "pane")
    assert pane.get("topLeftCell") == "A2"
    with zipfile.ZipFile(target) as book:
        assert ">id<" in book.read("xl/sharedStrings.xml").decode()


def test_a_cancel_in_the_middle_of_a_workbook_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out" / "exp_1.0123.partial"
    target.parent.mkdir()
    source.write_text("id,input_tokens\n" + "a,1\n" * 20_000)

    def cancel(rows: int) -> None:
        assert rows < 20_000
        raise LeaseLostError

    with pytest.raises(LeaseLostError):
        write_workbook(source, target, 20_000, cancel)
    assert list(target.parent.iterdir()) == []


def test_a_full_disk_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.xlsx"
    source.write_text("id,input_tokens\n" + "a,1\n" * 20_000)
    target.symlink_to("/dev/full")
    with pytest.raises(Unavailable, match="is the disk full"):
        write_workbook(source, target, 20_000, lambda _: None)
    assert not target.is_symlink()
