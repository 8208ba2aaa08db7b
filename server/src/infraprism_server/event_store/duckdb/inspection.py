"""A look into an event file that no process has open; nothing in it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import duckdb
import msgspec

from infraprism_server.errors import StartupError
from infraprism_server.event_store.duckdb.schema import COST_SOURCES, STEPS

NEWEST_VERSION: Final = STEPS[-1].version


class FileReport(msgspec.Struct, frozen=True):
    """What an event file says of itself."""

    instance_id: str | None
    schema_version: int
    events: int
    unpriced_events: int
    unpriced_models: int


def inspect_file(file: Path) -> FileReport:
    """Read a file's own account of itself. StartupError when it can not be opened or read."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
            counted = connection.execute(
                "SELECT count(*), count(*) FILTER (cost_source = ?),"
                " count(DISTINCT model_code) FILTER (cost_source = ?) FROM events",
                [COST_SOURCES.index("unpriced")] * 2,
            ).fetchall()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0][:200]
        raise StartupError(f"{file.name} can not be read: {reason}") from error
    events, unpriced, models = counted[0]
    return FileReport(
        instance_id=meta.get("instance_id"),
        schema_version=int(meta.get("schema_version", "0")),
        events=events,
        unpriced_events=unpriced,
        unpriced_models=models,
    )
