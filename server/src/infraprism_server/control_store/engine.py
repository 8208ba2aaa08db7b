"""The control store's engine: SQLite in the data folder, or PostgreSQL by URL.

The only module that knows which of the two it is. On SQLite `engine.begin()` takes the write lock
at once (BEGIN IMMEDIATE), so a transaction that reads and then writes can not find its snapshot
outdated half-way; `engine.connect()` reads a snapshot and waits for nobody.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExceptionContext
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from infraprism_server.errors import InfraPrismError, StartupError, Unavailable

FILE_NAME = "control.db"
BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another; a write takes milliseconds: this is a stuck process."""
POOL_CONNECTIONS = 16
POOL_OVERFLOW = 48
"""Beyond the HTTP thread pool's 40 there are the background threads; idle ones cost nothing."""
_SCHEMA_LOCK = 0x1F9A_5C0D
_AUTOBEGUN = "infraprism_autobegun"


def sqlite_url(folder: Path) -> str:
    """The URL of the control store in a data folder."""
    return f"sqlite:///{(folder / FILE_NAME).absolute()}"


def open_control_store(url: str) -> Engine:
    """An engine for the URL, safe for many threads and, on SQLite, for several processes.

    The schema is not touched (see migrations). StartupError when the URL can not be used.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = _sqlite_engine(url)
        elif parsed.get_backend_name() == "postgresql":
            engine = create_engine(
                url,
                pool_size=POOL_CONNECTIONS,
                max_overflow=POOL_OVERFLOW,
                pool_pre_ping=True,
                hide_parameters=True,
            )
        else:
            raise StartupError(
                "INFRAPRISM_CONTROL_URL must start with sqlite:/// or postgresql+psycopg://"
            )
    except (ArgumentError, NoSuchModuleError):
        raise StartupError(
            "INFRAPRISM_CONTROL_URL is not a database URL such as "
            "postgresql+psycopg://user:password@host/database"
        ) from None
    except ImportError:
        raise StartupError(
            "The PostgreSQL driver is not installed: pip install 'psycopg[binary]'"
        ) from None
    event.listen(engine, "handle_error", _translate, retval=True)
    return engine


def check_reachable(engine: Engine) -> None:
    """StartupError in one line when the store can not be read or written."""
    try:
        with engine.connect() as connection:
            connection.execute(select(1))
    except InfraPrismError as error:
        raise StartupError(f"The control store can not be opened: {error.message}") from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise StartupError(f"The control store can not be opened: {reason}") from None


def lock_schema(connection: Connection) -> None:
    """Let no other process migrate until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    # On SQLite the transaction began with the write lock.


def back_up_sqlite(engine: Engine, target: Path) -> bool:
    """Copy an SQLite store, consistent while others write, to `target`. False: it is not SQLite."""
    source = engine.url.database
    if engine.dialect.name != "sqlite" or source in (None, "", ":memory:"):
        return False
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        origin, copy = sqlite3.connect(str(source)), sqlite3.connect(partial)
        try:
            origin.backup(copy)
        finally:
            origin.close()
            copy.close()
        partial.chmod(0o600)
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise StartupError(f"The backup {target} can not be written: {error}") from None
    return True


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_CONNECTIONS,
        max_overflow=POOL_OVERFLOW,
        hide_parameters=True,  # an error's text may be logged: no values in it
        # Python's own transaction handling begins too late and not for every statement.
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "before_execute", _note_autobegin)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(dbapi_connection: DBAPIConnection, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_wal(cursor: DBAPICursor) -> None:
    """Switch a new file to WAL. SQLite does not wait when two processes do that at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode")
            if cursor.fetchone() != ("wal",):
                cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _note_autobegin(
    connection: Connection,
    _statement: object,
    _multiparams: object,
    _params: object,
    _options: object,
) -> None:
    # Only `connect()` executes before it has begun; `begin()` has begun by now.
    if not connection.in_transaction():
        connection.info[_AUTOBEGUN] = True


def _begin(connection: Connection) -> None:
    reads = connection.info.pop(_AUTOBEGUN, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _translate(context: ExceptionContext) -> Exception | None:
    """Conditions that pass, as errors that say so; all others (None) stay what they are."""
    original = context.original_exception
    if context.is_disconnect:
        return Unavailable("The control store can not be reached", 5)
    code = getattr(original, "sqlite_errorcode", None)
    # The low byte is the kind, the others say more about where it happened.
    match None if code is None else code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return Unavailable("The disk of the data folder is full", 30)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable("The control store is busy", 1)
        case sqlite3.SQLITE_READONLY:
            return Unavailable("The data folder is read-only", 30)
    return None
