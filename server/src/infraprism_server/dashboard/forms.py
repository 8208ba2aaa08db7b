"""Forms: what was typed becomes the API's own Struct, and an error finds the field it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.errors import InfraPrismError
from infraprism_server.http.idempotency import HEADER
from infraprism_server.http.wire import decode_body

T = TypeVar("T")

NULL = msgspec.Raw(b"null")
"""A field that is cleared; what is None is left out of a body."""
SENT_BEFORE = (
    "This form was sent before. Look whether what it made is listed; send it again to make another."
)

_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,60})?", re.ASCII)
_PLAIN_WORDS = (
    (re.compile(r"^The '[^']*' (field|parameter) is required$"), "Fill this in"),
    (re.compile(r"^Expected 'str' of length >= 1$"), "Fill this in"),
    (re.compile(r"^Expected 'str' of length <= (\d+)$"), r"At most \1 characters"),
    (
        re.compile(r"^Expected 'str' matching regex .*$", re.S),
        "Lower-case letters, digits, - and _",
    ),
    (re.compile(r"^Expected 'array' of length >= 1$"), "Choose at least one"),
    (re.compile(r"^Expected 'array' of length <= (\d+)$"), r"At most \1"),
    (re.compile(r"^Expected 'int' >= (\d+)$"), r"A number from \1 on"),
    (re.compile(r"^Expected 'int' <= (\d+)$"), r"A number up to \1"),
    (re.compile(r"^Expected 'int.*$"), "A whole number, such as 90"),
    (re.compile(r"^(Expected 'decimal|Invalid decimal).*$"), "A number, such as 2.50"),
    (re.compile(r"^(Expected 'datetime|Invalid RFC3339).*$"), "A date and a time"),
    (re.compile(r"^Invalid enum value .*$", re.S), "Choose one of the list"),
    (re.compile(r"^'[^']*' is a number( of dollars)?$"), "A number, such as 100 or 49.90"),
)
"""What the API says to programs, for people."""


class Form:
    """A form's fields as they were typed, or are stored, and what is wrong with them."""

    def __init__(
        self,
        labels: Mapping[str, str],
        typed: Mapping[str, Sequence[str]],
        error: InfraPrismError | None = None,
    ) -> None:
        """`labels`: the form's fields with their names for people."""
        self._labels = labels
        self._typed = typed
        self._error = error

    def label(self, name: str) -> str:
        return self._labels[name]

    def value(self, name: str) -> str:
        """What stands in a field."""
        return (self._typed.get(name) or [""])[-1]

    def has(self, name: str, value: str) -> bool:
        """Whether a checkbox of a field is ticked."""
        return value in self._typed.get(name, ())

    def error(self, name: str) -> str | None:
        """What is wrong with a field, in words for its reader."""
        return None if self._error is None or self._wrong != name else self._words()

    @property
    def problem(self) -> str | None:
        """What is wrong with the form, where no field is to blame."""
        if self._error is None:
            return None
        if self._error.param == HEADER:
            return SENT_BEFORE
        return "Look at what is marked below." if self._wrong else self._words()

    @property
    def _wrong(self) -> str | None:
        """The field at fault: `approaching[1]` is a part of `approaching`."""
        param = self._error.param if self._error is not None else None
        name = re.split(r"[.\[]", param, maxsplit=1)[0] if param else None
        return name if name in self._labels else None

    def _words(self) -> str:
        assert self._error is not None
        words = self._error.message
        for told, plain in _PLAIN_WORDS:
            found = told.match(words)
            if found is not None:
                return found.expand(plain)
        for name, label in self._labels.items():
            words = words.replace(
                f"'{name}'", label if words.startswith(f"'{name}'") else f"“{label}”"
            )
        return words


def decoded(kind: type[T], fields: Mapping[str, object]) -> T:
    """The Struct that a body of these fields is; what is None is left out.

    InvalidRequest naming the field, exactly as the API would answer.
    """
    return decode_body(
        msgspec.json.encode({name: value for name, value in fields.items() if value is not None}),
        kind,
    )


def number(text: str) -> msgspec.Raw | str:
    """What a person typed for a number, as JSON: 1,234.50 and $12 are understood, 12,5 is not.

    What is no number stays text, which the schema refuses.
    """
    cleaned = text.strip().removeprefix("$").strip()
    if _GROUPED.fullmatch(cleaned):
        cleaned = cleaned.replace(",", "")
    return msgspec.Raw(cleaned.encode()) if _NUMBER.fullmatch(cleaned) else text


def number_or_null(text: str) -> msgspec.Raw | str:
    """`number`; an empty field clears."""
    return number(text) if text.strip() else NULL


def local_instant(text: str, zone: ZoneInfo) -> str | None:
    """What a datetime field says, with the zone's offset; None when it is empty.

    What is no time stays as it is, which the schema refuses.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
