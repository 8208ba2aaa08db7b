"""Opening the control store of an installation: the same steps for the server and for the CLI."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from infraprism_server.control_store.engine import (
    check_reachable,
    open_control_store,
    sqlite_url,
)
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.control_store.migrations import SchemaState, migrate, schema_state
from infraprism_server.data_folder import UNFINISHED_RESTORE, lock_folder, make_folder
from infraprism_server.errors import StartupError

BACKUPS = "backups"


def start_control_store(
    folder: Path, control_url: str | None, now_us: int, *, holds_folder: bool
) -> Engine:
    """Make the data folder, open its control store (or the one at the URL) and migrate it.

    `holds_folder` says that the caller has locked the folder, as the server has. A caller that
    has not takes the lock for a migration, so that no schema changes under a running server.
    StartupError, in one line, for whatever stands in the way.
    """
    make_folder(folder)
    if (folder / UNFINISHED_RESTORE).exists():
        raise StartupError(
            f"a restore into {folder.absolute()} did not finish: run infraprism restore once more"
        )
    engine = open_control_store(control_url or sqlite_url(folder))
    try:
        check_reachable(engine)
        if schema_state(engine) is SchemaState.OLDER and not holds_folder:
            with lock_folder(folder, address=None):
                migrate(engine, folder / BACKUPS)
        else:
            migrate(engine, folder / BACKUPS)
        ensure_installation(engine, now_us)
    except BaseException:
        engine.dispose()
        raise
    return engine
