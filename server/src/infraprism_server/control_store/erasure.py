"""Letting the control store forget an account or an entity, whatever tables there are.

It walks the tables themselves, so that one which is added later is not overlooked: whatever
points to the account, and whatever has an entity's type and id, or speaks of it in JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, Table, and_, delete, func, or_, select, update

from infraprism_server.control_store.tables import (
    accounts,
    deliveries,
    delivery_attempts,
    entities,
    idempotency_keys,
    jobs,
    limit_alerts,
    limits,
    metadata,
    outbox,
)

_TEXTS: Final = (
    (outbox, outbox.c.id, (outbox.c.data,)),
    (deliveries, deliveries.c.id, (deliveries.c.body,)),
    (jobs, jobs.c.id, (jobs.c.input, jobs.c.progress, jobs.c.result)),
    (idempotency_keys, idempotency_keys.c.key, (idempotency_keys.c.answer,)),
)
"""JSON that may speak of an entity, and what a row of it is known by."""
_ROWS_AT_ONCE: Final = 1_000


def delete_account(connection: Connection, number: int, *, keep_row: bool) -> int:
    """Delete all that is an account's, and its own row unless that is kept; how many rows."""
    deleted = 0
    for table in reversed(metadata.sorted_tables):
        if table is accounts:
            if not keep_row:
                deleted += connection.execute(
                    delete(accounts).where(accounts.c.number == number)
                ).rowcount
        elif "account" in table.c:
            deleted += connection.execute(delete(table).where(table.c.account == number)).rowcount
        else:
            deleted += _delete_children(connection, table, number)
    return deleted


def delete_sign_ins(connection: Connection, number: int) -> None:
    """Delete whatever lets somebody in to an account: keys, links, sessions."""
    for name in ("api_keys", "sign_in_links", "dashboard_sessions"):
        table = metadata.tables[name]
        connection.execute(delete(table).where(table.c.account == number))


def pseudonymise_account(connection: Connection, number: int, pseudonym: str) -> None:
    """Leave of an account's row nothing that says whose it was."""
    connection.execute(
        update(accounts)
        .where(accounts.c.number == number)
        .values(email=f"{pseudonym}@invalid", name=pseudonym, company="")
    )


def delete_entity(
    connection: Connection, account: int, entity_type: str, entity_id: str, except_job: str
) -> int:
    """Delete every row that is of an entity or speaks of it; how many.

    `except_job`: the job that does this, which speaks of it too until it is done.
    """
    deleted = _alerts(connection, account, entity_type, entity_id)
    for table in reversed(metadata.sorted_tables):
        if {"account", "entity_type", "entity_id"} <= set(table.c.keys()):
            named = and_(
                table.c.account == account,
                table.c.entity_type == entity_type,
                table.c.entity_id == entity_id,
            )
            deleted += connection.execute(delete(table).where(named)).rowcount
    for table, key, texts in _TEXTS:
        rows = connection.execute(select(key, *texts).where(table.c.account == account)).yield_per(
            _ROWS_AT_ONCE
        )
        found = [
            row[0]
            for row in rows
            if any(text and speaks_of(text, entity_type, entity_id) for text in row[1:])
        ]
        for start in range(0, len(found), _ROWS_AT_ONCE):
            keys = [each for each in found[start : start + _ROWS_AT_ONCE] if each != except_job]
            if table is deliveries:
                connection.execute(
                    delete(delivery_attempts).where(delivery_attempts.c.delivery.in_(keys))
                )
            mine = and_(table.c.account == account, key.in_(keys))
            deleted += connection.execute(delete(table).where(mine)).rowcount
    return deleted


def count_entity(connection: Connection, account: int, entity_type: str, entity_id: str) -> int:
    """How many rows there are that have an entity's type and id."""
    total = 0
    for table in metadata.sorted_tables:
        if {"account", "entity_type", "entity_id"} <= set(table.c.keys()):
            named = and_(
                table.c.account == account,
                table.c.entity_type == entity_type,
                table.c.entity_id == entity_id,
            )
            counted = select(func.count()).select_from(table).where(named)
            total += int(connection.execute(counted).scalar_one())
    return total


def count_account(connection: Connection, number: int) -> int:
    """How many rows are an account's."""
    return 1 + sum(
        int(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.account == number)
            ).scalar_one()
        )
        for table in metadata.sorted_tables
        if "account" in table.c
    )


def described_entities(connection: Connection, account: int) -> list[tuple[str, str]]:
    """(type, id) of the entities that something is said about."""
    mine = select(entities.c.entity_type, entities.c.entity_id).where(entities.c.account == account)
    return [(row[0], row[1]) for row in connection.execute(mine)]


def _alerts(connection: Connection, account: int, entity_type: str, entity_id: str) -> int:
    of_type = select(limits.c.id).where(
        limits.c.account == account, limits.c.entity_type == entity_type
    )
    named = select(limits.c.id).where(
        limits.c.account == account,
        limits.c.entity_type == entity_type,
        limits.c.entity_id == entity_id,
    )
    mine = and_(
        limit_alerts.c.account == account,
        or_(
            and_(limit_alerts.c.limit_id.in_(of_type), limit_alerts.c.entity_id == entity_id),
            limit_alerts.c.limit_id.in_(named),
        ),
    )
    return connection.execute(delete(limit_alerts).where(mine)).rowcount


def _delete_children(connection: Connection, table: Table, number: int) -> int:
    """Rows of a table without an account that hang on rows with one."""
    for key in table.foreign_keys:
        parent = key.column.table
        if "account" in parent.c:
            of_account = select(key.column).where(parent.c.account == number)
            return connection.execute(delete(table).where(key.parent.in_(of_account))).rowcount
    return 0


def speaks_of(text: str | bytes, entity_type: str, entity_id: str) -> bool:
    """Whether JSON names an entity: as an object with its type and id, or a list beginning so."""
    try:
        return _names(msgspec.json.decode(text), entity_type, entity_id)
    except msgspec.DecodeError:
        return False


def _names(value: object, entity_type: str, entity_id: str) -> bool:
    match value:
        case dict():
            named = value.get("entity_id") == entity_id and value.get("entity_type") in (
                entity_type,
                None,
            )
            return named or any(_names(each, entity_type, entity_id) for each in value.values())
        case list():
            return value[:2] == [entity_type, entity_id] or any(
                _names(each, entity_type, entity_id) for each in value
            )
    return False
