"""A copy of the control store for a backup, and what it must be told before it is one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Engine, func, insert, select, update

from infraprism_server.control_store.engine import (
    FILE_NAME,
    back_up_sqlite,
    open_control_store,
    sqlite_url,
)
from infraprism_server.control_store.tables import exports, jobs, price_rates

_UNFINISHED: Final = ("queued", "running")


def copy_control_store(engine: Engine, folder: Path) -> Path | None:
    """Copy an SQLite store into a folder; None: it is a server that is backed up by itself."""
    target = folder / FILE_NAME
    return target if back_up_sqlite(engine, target) else None


def settle_copy(engine: Engine, folder: Path, now_us: int, *, over: tuple[str, ...]) -> None:
    """Make a copy fit the events that were copied after it.

    Rates that those may point to are added. Jobs of the kinds in `over` end here, and no worker
    holds any other. Files of exports are not in a backup: their links are gone.
    """
    copy = open_control_store(sqlite_url(folder))
    try:
        with copy.begin() as target:
            newest = target.execute(select(func.coalesce(func.max(price_rates.c.id), 0))).scalar()
            with engine.connect() as source:
                since = select(price_rates).where(price_rates.c.id > newest)
                rates = [dict(row) for row in source.execute(since).mappings()]
            if rates:
                target.execute(insert(price_rates), rates)
            unfinished = jobs.c.status.in_(_UNFINISHED)
            target.execute(
                update(jobs)
                .where(unfinished, jobs.c.kind.in_(over))
                .values(status="cancelled", lease=None, leased_until_us=None, finished_at_us=now_us)
            )
            target.execute(
                update(jobs)
                .where(unfinished)
                .values(status="queued", lease=None, leased_until_us=None)
            )
            target.execute(
                update(exports)
                .where(exports.c.completed_at_us.is_not(None))
                .values(purged=True, expires_at_us=func.min(exports.c.expires_at_us, now_us))
            )
        _outside_of_transactions(copy, "PRAGMA journal_mode = DELETE")  # one file, without a log
    finally:
        copy.dispose()


def compact_control_store(engine: Engine) -> None:
    """Give back the space of what was deleted, and write over it. On SQLite alone."""
    if engine.dialect.name != "sqlite":
        return
    _outside_of_transactions(engine, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")


def _outside_of_transactions(engine: Engine, *statements: str) -> None:
    """On a connection of its own: the engine begins a transaction wherever it executes."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()
        cursor.close()
    finally:
        connection.close()
