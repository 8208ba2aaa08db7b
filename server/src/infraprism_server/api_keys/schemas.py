"""API keys as they go over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from infraprism_server.accounts.account import MAX_NAME_CHARS, NAME_PATTERN
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.wire import Instant

Scope = Literal["full", "read", "ingest"]
KeyId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="The key's id.")]


class CreateKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make."""

    name: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=MAX_NAME_CHARS,
            description="What the key is for.",
            examples=["Staging Environment"],
            extra_json_schema={"pattern": NAME_PATTERN},
        ),
    ]
    scopes: Annotated[
        tuple[Scope, ...],
        msgspec.Meta(
            min_length=1,
            max_length=10,
            description="full: everything; read: every GET; ingest: reporting events.",
        ),
    ] = ("full",)
    expires_at: (
        Annotated[
            datetime,
            msgspec.Meta(tz=True, description="When the key stops; null: never."),
        ]
        | None
    ) = None


class KeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its text."""

    id: str
    name: str
    prefix: str
    created_at: Instant
    last_used_at: Instant | None
    scopes: list[Scope]
    expires_at: Instant | None


class CreatedKeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """A new key. `key` is its text: shown here, once, and nowhere again."""

    id: str
    name: str
    key: str
    prefix: str
    created_at: Instant
    scopes: list[Scope]
    expires_at: Instant | None

    def __repr__(self) -> str:
        # A log line or a traceback that shows the object must not show the secret.
        return f"CreatedKeyOut(id={self.id!r}, key='{self.prefix}...')"


class ListKeysQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Newest first."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class KeyList(msgspec.Struct, frozen=True):
    data: list[KeyOut]
    pagination: Pagination


class DeletedOut(msgspec.Struct, frozen=True):
    deleted: bool = True
