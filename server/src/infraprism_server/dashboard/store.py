"""Queries over the control store's `dashboard_sessions` and `sign_in_links`."""

from __future__ import annotations

from sqlalchemy import Connection, select

from infraprism_server.control_store.tables import dashboard_sessions, sign_in_links


def insert_link(
    connection: Connection, digest: bytes, account: int, now_us: int, expires_at_us: int
) -> None:
    connection.execute(
        sign_in_links.insert().values(
            hash=digest, account=account, created_at_us=now_us, expires_at_us=expires_at_us
        )
    )


def take_link(connection: Connection, digest: bytes, now_us: int) -> int | None:
    """The account of a link that may still be used; it is used up now. None for any other."""
    mine = sign_in_links.c.hash == digest
    found = connection.execute(
        select(sign_in_links.c.account).where(mine, sign_in_links.c.expires_at_us > now_us)
    ).scalar()
    if found is None or not connection.execute(sign_in_links.delete().where(mine)).rowcount:
        return None
    return int(found)


def insert_session(
    connection: Connection, digest: bytes, account: int, now_us: int, expires_at_us: int
) -> None:
    connection.execute(
        dashboard_sessions.insert().values(
            hash=digest, account=account, created_at_us=now_us, expires_at_us=expires_at_us
        )
    )


def find_session(connection: Connection, digest: bytes, now_us: int) -> int | None:
    """The account that is signed in, or None."""
    found = connection.execute(
        select(dashboard_sessions.c.account).where(
            dashboard_sessions.c.hash == digest, dashboard_sessions.c.expires_at_us > now_us
        )
    ).scalar()
    return None if found is None else int(found)


def delete_session(connection: Connection, digest: bytes) -> None:
    connection.execute(dashboard_sessions.delete().where(dashboard_sessions.c.hash == digest))


def delete_expired(connection: Connection, now_us: int) -> None:
    """Forget links and sessions that nobody can use any more."""
    for table in (sign_in_links, dashboard_sessions):
        connection.execute(table.delete().where(table.c.expires_at_us <= now_us))
