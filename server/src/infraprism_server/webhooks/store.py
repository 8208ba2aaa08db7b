"""Queries over endpoints; those over their deliveries are in deliveries.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, and_, func, select, tuple_

from infraprism_server.control_store.tables import deliveries, delivery_attempts, webhooks


class WebhookRow(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as it is stored; its secrets are sealed."""

    id: str
    account: int
    url: str
    events: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    secret: bytes
    former_secret: bytes | None
    former_secret_until_us: int | None
    failing_since_us: int | None
    answered: bool
    created_at_us: int


class Position(NamedTuple):
    """Where a page ends: what comes after it is older, or as old with a lower id."""

    created_at_us: int
    id: str


def insert_webhook(connection: Connection, row: WebhookRow) -> None:
    fields: dict[str, Any] = msgspec.structs.asdict(row)
    fields["events"] = events_text(row.events)
    connection.execute(webhooks.insert().values(fields))


def find_webhook(connection: Connection, account: int, webhook_id: str) -> WebhookRow | None:
    mine = and_(webhooks.c.account == account, webhooks.c.id == webhook_id)
    row = connection.execute(select(webhooks).where(mine)).mappings().first()
    return None if row is None else _webhook(row)


def select_webhooks(
    connection: Connection, account: int, limit: int, offset: int, after: Position | None
) -> list[WebhookRow]:
    """A page of an account's endpoints, newest first."""
    page = (
        select(webhooks)
        .where(webhooks.c.account == account)
        .order_by(webhooks.c.created_at_us.desc(), webhooks.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(webhooks.c.created_at_us, webhooks.c.id) < tuple_(*after))
    return [_webhook(row) for row in connection.execute(page).mappings()]


def count_webhooks(connection: Connection, account: int) -> int:
    mine = select(func.count()).select_from(webhooks).where(webhooks.c.account == account)
    return int(connection.execute(mine).scalar_one())


def update_webhook(connection: Connection, account: int, webhook_id: str, **values: object) -> None:
    """Change columns of one endpoint."""
    mine = and_(webhooks.c.account == account, webhooks.c.id == webhook_id)
    connection.execute(webhooks.update().where(mine).values(values))


def delete_webhook(connection: Connection, account: int, webhook_id: str) -> bool:
    """Whether the account had the endpoint; it is gone now, with all its deliveries."""
    mine = and_(deliveries.c.account == account, deliveries.c.webhook == webhook_id)
    sent = select(deliveries.c.id).where(mine)
    connection.execute(delivery_attempts.delete().where(delivery_attempts.c.delivery.in_(sent)))
    connection.execute(deliveries.delete().where(mine))
    endpoint = and_(webhooks.c.account == account, webhooks.c.id == webhook_id)
    return connection.execute(webhooks.delete().where(endpoint)).rowcount > 0


def select_enabled(connection: Connection, accounts: Sequence[int]) -> list[WebhookRow]:
    """The enabled endpoints of several accounts: whom messages of theirs may go to."""
    enabled = and_(webhooks.c.account.in_(accounts), webhooks.c.enabled)
    return [_webhook(row) for row in connection.execute(select(webhooks).where(enabled)).mappings()]


def events_text(events: Sequence[str]) -> str:
    """Subscriptions as they are stored."""
    return msgspec.json.encode(list(events)).decode()


def _webhook(row: RowMapping) -> WebhookRow:
    fields: dict[str, Any] = dict(row)
    fields["events"] = msgspec.json.decode(row["events"], type=tuple[str, ...])
    return WebhookRow(**fields)
