"""Queries over the control store's `api_keys`; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, func, or_, select, tuple_

from infraprism_server.control_store.tables import api_keys


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One key as it is stored; its text is not."""

    id: str
    account: int
    name: str
    prefix: str
    hash: bytes
    scopes: tuple[str, ...]
    created_at_us: int
    expires_at_us: int | None
    last_used_at_us: int | None


class KeyPosition(NamedTuple):
    """Where a page ends: keys after it are older, or as old with a lower id."""

    created_at_us: int
    id: str


def insert_key(connection: Connection, key: KeyRow) -> None:
    connection.execute(
        api_keys.insert().values(
            id=key.id,
            account=key.account,
            name=key.name,
            prefix=key.prefix,
            hash=key.hash,
            scopes=msgspec.json.encode(key.scopes).decode(),
            created_at_us=key.created_at_us,
            expires_at_us=key.expires_at_us,
        )
    )


def find_by_hash(connection: Connection, digest: bytes) -> KeyRow | None:
    """The key of any account with this hash: this look-up is what says whose it is."""
    row = connection.execute(_BY_HASH, {"digest": digest}).mappings().first()
    return None if row is None else _key(row)


def select_keys(
    connection: Connection, account: int, limit: int, offset: int, after: KeyPosition | None
) -> list[KeyRow]:
    """A page of an account's keys, newest first."""
    page = (
        select(api_keys)
        .where(api_keys.c.account == account)
        .order_by(api_keys.c.created_at_us.desc(), api_keys.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(api_keys.c.created_at_us, api_keys.c.id) < tuple_(*after))
    return [_key(row) for row in connection.execute(page).mappings()]


def count_keys(connection: Connection, account: int) -> int:
    mine = select(func.count()).select_from(api_keys).where(api_keys.c.account == account)
    return int(connection.execute(mine).scalar_one())


def delete_key(connection: Connection, account: int, key_id: str) -> bool:
    """Whether the account had the key; it is gone now."""
    mine = and_(api_keys.c.account == account, api_keys.c.id == key_id)
    return connection.execute(api_keys.delete().where(mine)).rowcount > 0


def update_last_used(connection: Connection, used_at_us: Mapping[str, int]) -> None:
    """Note when keys were last used; a later time that another process noted stays."""
    connection.execute(
        _LAST_USED, [{"key": key_id, "used": used} for key_id, used in used_at_us.items()]
    )


_BY_HASH = select(api_keys).where(api_keys.c.hash == bindparam("digest"))
_LAST_USED = (
    api_keys.update()
    .where(
        api_keys.c.id == bindparam("key"),
        or_(
            api_keys.c.last_used_at_us.is_(None),
            api_keys.c.last_used_at_us < bindparam("used"),
        ),
    )
    .values(last_used_at_us=bindparam("used"))
)


def _key(row: RowMapping) -> KeyRow:
    fields: dict[str, Any] = dict(row)
    fields["scopes"] = msgspec.json.decode(row["scopes"], type=tuple[str, ...])
    return KeyRow(**fields)
