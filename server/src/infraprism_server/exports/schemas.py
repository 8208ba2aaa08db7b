"""Exports as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from infraprism_server.events.schemas import FilterQuery
from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.time_range import QueryDate
from infraprism_server.http.wire import Instant

Format = Literal["csv", "json", "parquet", "xlsx"]
Status = Literal["processing", "completed", "failed"]
MEDIA_TYPES: Final[dict[str, str]] = {
    "csv": "text/csv",
    "json": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
ExportId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="The export's id.")]


class CreateExport(FilterQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events, and as what. The filters are those of GET /v1/events."""

    start_date: QueryDate
    end_date: QueryDate
    format: Annotated[
        Format,
        msgspec.Meta(description="json: one object a line; xlsx: up to 1,048,575 events."),
    ]


class ExportOut(msgspec.Struct, frozen=True, kw_only=True):
    """One export. `download_url` needs no key; it is null before completion and after expiry."""

    id: str
    status: Status
    format: Format
    download_url: str | None
    expires_at: Instant | None
    created_at: Instant
    completed_at: Instant | None
    rows_written: int
    rows_total: int
    size_bytes: int | None
    error: str | None
    """Why it failed."""


class ListExportsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Newest first."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class ExportList(msgspec.Struct, frozen=True):
    data: list[ExportOut]
    pagination: Pagination


class ExportDeletedOut(msgspec.Struct, frozen=True):
    deleted: bool = True
