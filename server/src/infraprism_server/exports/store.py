"""Queries over exports and the jobs that make them; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, or_, select, tuple_

from infraprism_server.control_store.tables import exports, jobs


class ExportRow(msgspec.Struct, frozen=True, kw_only=True):
    """An export, and how its job stands (None: there is no job any more)."""

    id: str
    account: int
    format: str
    base_url: str
    rows_total: int
    bytes: int | None
    created_at_us: int
    completed_at_us: int | None
    expires_at_us: int | None
    purged: bool
    job_status: str | None
    job_error: str | None
    job_progress: str | None


class Position(NamedTuple):
    """Where a page ends: what comes after it is older, or as old with a lower id."""

    created_at_us: int
    id: str


def insert_export(
    connection: Connection,
    *,
    export_id: str,
    account: int,
    file_format: str,
    base_url: str,
    rows_total: int,
    now_us: int,
) -> None:
    connection.execute(
        insert(exports).values(
            id=export_id,
            account=account,
            format=file_format,
            base_url=base_url,
            rows_total=rows_total,
            created_at_us=now_us,
            purged=False,
        )
    )


def find_export(connection: Connection, account: int, export_id: str) -> ExportRow | None:
    mine = and_(exports.c.account == account, exports.c.id == export_id)
    return _first(connection, _exports().where(mine))


def find_for_link(connection: Connection, export_id: str) -> ExportRow | None:
    """The export of any account: the link's signature is what says that it may be read."""
    return _first(connection, _exports().where(exports.c.id == export_id))


def select_exports(
    connection: Connection, account: int, limit: int, offset: int, after: Position | None
) -> list[ExportRow]:
    """A page of an account's exports, newest first."""
    page = (
        _exports()
        .where(exports.c.account == account)
        .order_by(exports.c.created_at_us.desc(), exports.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(exports.c.created_at_us, exports.c.id) < tuple_(*after))
    return [_export(row) for row in connection.execute(page).mappings()]


def count_exports(connection: Connection, account: int) -> int:
    mine = select(func.count()).select_from(exports).where(exports.c.account == account)
    return int(connection.execute(mine).scalar_one())


def count_processing(connection: Connection, account: int) -> int:
    """How many of the account's exports are waiting or under way."""
    busy = and_(
        exports.c.account == account,
        exports.c.completed_at_us.is_(None),
        jobs.c.status.in_(("queued", "running")),
    )
    joined = exports.join(jobs, jobs.c.id == exports.c.id)
    return int(
        connection.execute(select(func.count()).select_from(joined).where(busy)).scalar_one()
    )


def select_inputs(
    connection: Connection, account: int, export_ids: Sequence[str]
) -> dict[str, str]:
    """What was asked for, JSON of the jobs that are still known, by export."""
    mine = and_(jobs.c.account == account, jobs.c.id.in_(export_ids))
    rows = connection.execute(select(jobs.c.id, jobs.c.input).where(mine))
    return {row.id: row.input for row in rows}


def complete(
    connection: Connection,
    account: int,
    export_id: str,
    *,
    rows: int,
    size_bytes: int,
    now_us: int,
    expires_at_us: int,
) -> bool:
    """Whether the export was there and not completed yet; it is now."""
    mine = and_(
        exports.c.account == account,
        exports.c.id == export_id,
        exports.c.completed_at_us.is_(None),
    )
    done = exports.update().where(mine)
    done = done.values(
        rows_total=rows, bytes=size_bytes, completed_at_us=now_us, expires_at_us=expires_at_us
    )
    return connection.execute(done).rowcount == 1


def delete_export(connection: Connection, account: int, export_id: str) -> bool:
    """Whether the account had the export; it is gone now."""
    mine = and_(exports.c.account == account, exports.c.id == export_id)
    return connection.execute(exports.delete().where(mine)).rowcount > 0


def select_over(connection: Connection, now_us: int) -> list[str]:
    """Exports of all accounts whose files are to be removed: expired, failed, cancelled."""
    expired = exports.c.expires_at_us <= now_us
    unfinished = jobs.c.status.in_(("queued", "running"))
    failed = and_(
        exports.c.completed_at_us.is_(None), or_(jobs.c.id.is_(None), unfinished.is_(False))
    )
    over = (
        select(exports.c.id)
        .outerjoin(jobs, jobs.c.id == exports.c.id)
        .where(exports.c.purged.is_(False), or_(expired, failed))
    )
    return list(connection.execute(over).scalars())


def select_known(connection: Connection, export_ids: Collection[str]) -> set[str]:
    """Those of the ids that are an export's, of whatever account."""
    known = select(exports.c.id).where(exports.c.id.in_(export_ids))
    return set(connection.execute(known).scalars())


def mark_purged(connection: Connection, export_id: str) -> None:
    connection.execute(exports.update().where(exports.c.id == export_id).values(purged=True))


def _exports() -> Select[tuple[object, ...]]:
    return select(
        exports,
        jobs.c.status.label("job_status"),
        jobs.c.error.label("job_error"),
        jobs.c.progress.label("job_progress"),
    ).outerjoin(jobs, jobs.c.id == exports.c.id)


def _first(connection: Connection, query: Select[tuple[object, ...]]) -> ExportRow | None:
    row = connection.execute(query).mappings().first()
    return None if row is None else _export(row)


def _export(row: RowMapping) -> ExportRow:
    return ExportRow(**{name: row[name] for name in ExportRow.__struct_fields__})
