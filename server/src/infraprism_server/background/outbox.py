"""The outbox: what happened, told in the transaction that made it happen.

A feature publishes; the webhooks alone take. A message is there when the change it tells of is
committed, and only then; taking it and writing its deliveries is one transaction as well.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select

from infraprism_server import ids
from infraprism_server.control_store.tables import outbox
from infraprism_server.http.wire import encode

MESSAGE: Final = "msg"


class Message(msgspec.Struct, frozen=True):
    """One thing that happened to an account. `data` is a JSON text."""

    id: str
    account: int
    type: str
    data: str
    created_at_us: int


def publish(
    connection: Connection, account: int, kind: str, data: msgspec.Struct, now_us: int
) -> str:
    """Tell of something, such as `limit.reached`, in the caller's transaction; the message's id."""
    message = Message(ids.new_id(MESSAGE), account, kind, encode(data).decode(), now_us)
    connection.execute(insert(outbox).values(msgspec.structs.asdict(message)))
    return message.id


def take(connection: Connection, limit: int) -> list[Message]:
    """The oldest messages, of all accounts, removed in the caller's transaction.

    Two that take at once wait for each other or skip what the other has: none is taken twice.
    """
    oldest = select(outbox).order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    found = [Message(**row) for row in connection.execute(oldest).mappings()]
    if found:
        taken = outbox.c.id.in_([message.id for message in found])
        connection.execute(outbox.delete().where(taken))
    return found


def count_waiting(connection: Connection) -> int:
    """How many messages nobody has taken yet."""
    return int(connection.execute(select(func.count()).select_from(outbox)).scalar_one())
