"""The control store's schema through time: Alembic migrations, run by the program itself."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, select, table, text

from infraprism_server import __version__
from infraprism_server.control_store.engine import back_up_sqlite, lock_schema
from infraprism_server.control_store.tables import installation
from infraprism_server.errors import StartupError

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every revision there is, oldest first. Alembic takes 0.3 s to import: with this list a start
with nothing to migrate, the usual one, does without it. A test compares it with versions/."""
HEAD = REVISIONS[-1]

_VERSION_TABLE = "alembic_version"


class SchemaState(Enum):
    """How a store's schema stands to this program's."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


def schema_revision(connection: Connection) -> str | None:
    """The revision a store is at; None when it is empty."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    version = select(text("version_num")).select_from(table(_VERSION_TABLE))
    found = connection.execute(version).scalar()
    return None if found is None else str(found)


def schema_state(engine: Engine) -> SchemaState:
    """Compare a store's schema with this program's. Changes nothing."""
    with engine.connect() as connection:
        return _state_of(schema_revision(connection))


def migrate(engine: Engine, backup_to: Path | None) -> None:
    """Bring the schema to HEAD, in one transaction; nothing is done when it is there already.

    An older SQLite store is copied into the folder `backup_to` first. StartupError when the store
    was written by a newer program, which this one would damage.
    """
    with engine.connect() as connection:
        revision = schema_revision(connection)
    state = _state_of(revision)
    if state is SchemaState.CURRENT:
        return
    if state is SchemaState.NEWER:
        raise _newer(engine, revision)
    if state is SchemaState.OLDER and backup_to is not None:
        back_up_sqlite(engine, backup_to / f"control-schema-{revision}.db")
    with engine.begin() as connection:
        lock_schema(connection)
        found = schema_revision(connection)
        if _state_of(found) in (SchemaState.EMPTY, SchemaState.OLDER):
            _upgrade(connection)
            connection.execute(installation.update().values(written_by=__version__))


def config_for(connection: Connection) -> Config:
    """Alembic's configuration for a connection: no alembic.ini, only this package."""
    from alembic.config import Config  # noqa: PLC0415 - slow, see REVISIONS

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow, see REVISIONS

    command.upgrade(config_for(connection), "head")


def _state_of(revision: str | None) -> SchemaState:
    if revision is None:
        return SchemaState.EMPTY
    if revision == HEAD:
        return SchemaState.CURRENT
    return SchemaState.OLDER if revision in REVISIONS else SchemaState.NEWER


def _newer(engine: Engine, revision: str | None) -> StartupError:
    written_by = None
    with engine.connect() as connection:
        columns = {column["name"] for column in inspect(connection).get_columns("installation")}
        if "written_by" in columns:
            written_by = connection.execute(select(installation.c.written_by)).scalar()
    wanted = f"infraprism-server>={written_by}" if written_by else "infraprism-server"
    return StartupError(
        f"The control store was written by a newer InfraPrism (schema {revision}, this is "
        f"{__version__} with {HEAD}). Install that one: pip install --upgrade '{wanted}'"
    )
