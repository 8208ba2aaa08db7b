"""The rows of a workbook's sheet as XML: texts as texts, numbers as the digits they came with.

Most rows hold nothing that XML or a spreadsheet reads as more than text. Those are filled into a
form that is made once for each set of empty cells; the others are escaped cell by cell.
"""

from __future__ import annotations

import re
from typing import Final

MAX_CELL_CHARS: Final = 32_767
"""What a cell holds, in UTF-16 units; the rest of a longer text is left out."""
TEXT_COLUMNS: Final = frozenset(
    {
        *("id", "timestamp", "model", "provider", "entity_type", "entity_id", "tags"),
        *("service_tier", "session_id", "error_type", "error_code", "cost_source"),
    }
)
TRUTH_COLUMN: Final = "success"

_TEXT: Final = '<c r="{letters}%d" t="inlineStr"><is><t>%s</t></is></c>'
_SPACED_TEXT: Final = '<c r="{letters}%d" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>'
_TRUTH: Final = '<c r="{letters}%d" t="b"><v>%s</v></c>'
_NUMBER: Final = '<c r="{letters}%d"><v>%s</v></c>'
# Characters that XML can not hold, or does not keep (CR), are written _xHHHH_ there (ECMA-376,
# ST_Xstring), and so is the underscore of a text that looks like that itself.
_NOT_AS_IS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)",
)


class SheetRows:
    """Rows below the line of names, for one order of columns."""

    def __init__(self, names: list[str]) -> None:
        self._letters = [column_letters(column) for column in range(len(names))]
        self._names = names
        self._truths = [column for column, name in enumerate(names) if name == TRUTH_COLUMN]
        # Of columns that can be empty there are few sets: a handful of forms.
        self._forms: dict[tuple[bool, ...], str] = {}
        self._spaced_forms: dict[tuple[bool, ...], str] = {}

    def text(self, number: int, values: list[str]) -> str:
        """The row with this number, 1 being that of the names. An empty value is no cell."""
        for column in self._truths:
            values[column] = "1" if values[column] == "true" else "0"
        forms, cells = self._forms, _TEXT
        if not _is_plain(f"|{'|'.join(values)}|"):
            values = [_escaped(value) for value in values]
            forms, cells = self._spaced_forms, _SPACED_TEXT
        filled = tuple(map(bool, values))
        form = forms.get(filled)
        if form is None:
            form = forms[filled] = self._form(filled, cells)
        # The row's number stands before each value and before the row.
        count = sum(filled)
        parts: list[object] = [number] * (2 * count + 1)
        parts[2::2] = filter(None, values)
        return form % tuple(parts)

    def _form(self, filled: tuple[bool, ...], text: str) -> str:
        cells = []
        for name, letters, present in zip(self._names, self._letters, filled, strict=True):
            if not present:
                continue
            cell = _NUMBER
            if name == TRUTH_COLUMN:
                cell = _TRUTH
            elif name in TEXT_COLUMNS:
                cell = text
            cells.append(cell.replace("{letters}", letters))
        return f'<row r="%d">{"".join(cells)}</row>'


def column_letters(column: int) -> str:
    """A, B, … Z, AA of a column counted from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _is_plain(row: str) -> bool:
    """Whether the values, with a bar around each, mean to XML what they say."""
    return (
        len(row) <= MAX_CELL_CHARS // 2
        and "&" not in row
        and "<" not in row
        and ">" not in row
        and "_x" not in row
        and "| " not in row
        and " |" not in row
        and row.isprintable()
    )


def _escaped(value: str) -> str:
    if len(value) > MAX_CELL_CHARS // 2:
        units = value.encode("utf-16-le")[: 2 * MAX_CELL_CHARS]
        value = units.decode("utf-16-le", errors="ignore")  # half a character at the cut goes too
    value = _NOT_AS_IS.sub(lambda found: f"_x{ord(found[0]):04X}_", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
