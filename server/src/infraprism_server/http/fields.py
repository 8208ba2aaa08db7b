"""Bounded text fields that several routes share, with their JSON schema."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from infraprism_server.errors import InvalidRequest

PRINTABLE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
"""No control characters and no line breaks: what a person can read on one line."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_printable(text: str) -> bool:
    """Whether PRINTABLE_PATTERN matches; plain ASCII, nearly everything, takes the short way."""
    if text.isascii():
        return text.isprintable()
    return _UNPRINTABLE.search(text) is None


def check_printable(text: str | None, param: str) -> None:
    """InvalidRequest naming `param` when the text has a control character."""
    if text is not None and not is_printable(text):
        raise InvalidRequest(f"'{param}' has a control character or a line break", param)


def printable(max_length: int, description: str, *, min_length: int = 1) -> msgspec.Meta:
    """Meta of a text field; the pattern is documented here and checked by `check_printable`."""
    return msgspec.Meta(
        min_length=min_length,
        max_length=max_length,
        description=description,
        extra_json_schema={"pattern": PRINTABLE_PATTERN},
    )


EntityTypeField = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="customer, team, project, employee, or a lower-case slug of your own.",
        examples=["customer"],
    ),
]
EntityIdField = Annotated[
    str, printable(256, "The entity's id: any printable characters but '.' and '..' alone.")
]
ModelField = Annotated[
    str, printable(256, "Model as the provider names it; exact and case-sensitive.")
]
ProviderField = Annotated[str, printable(64, "Provider, such as openai or anthropic.")]
SessionField = Annotated[str, printable(256, "Session or conversation the call belongs to.")]

ENTITY_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_entity_id(text: str | None, param: str = "entity_id") -> None:
    """InvalidRequest when an id can not be part of an address."""
    if text in (".", ".."):
        raise InvalidRequest(f"'{param}' can not be '{text}' alone", param)
    check_printable(text, param)
