"""Queries over deliveries and their attempts: made, leased, recorded, listed, purged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    func,
    insert,
    or_,
    select,
    tuple_,
)

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND
from infraprism_server.control_store.tables import deliveries, delivery_attempts, webhooks
from infraprism_server.webhooks.attempt import Attempt, DeliveryStatus
from infraprism_server.webhooks.store import Position

LEASE_US: Final = 30 * MICROSECONDS_PER_SECOND
"""Twice what an attempt may take; a killed sender's work goes on after it."""
KEPT_US: Final = 30 * MICROSECONDS_PER_DAY
_PURGE_ROWS: Final = 1_000


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one endpoint."""

    id: str
    account: int
    webhook: str
    message: str
    type: str
    body: str
    status: DeliveryStatus
    attempts: int
    round_start: int
    next_attempt_at_us: int | None
    lease: str | None
    leased_until_us: int | None
    created_at_us: int
    finished_at_us: int | None


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is stored."""

    delivery: str
    number: int
    started_at_us: int
    duration_ms: int
    status_code: int | None
    error: str | None
    response_excerpt: str | None


def insert_deliveries(connection: Connection, rows: Sequence[DeliveryRow]) -> None:
    if rows:
        connection.execute(insert(deliveries), [msgspec.structs.asdict(row) for row in rows])


def any_due(connection: Connection, now_us: int) -> bool:
    """Whether anything may be sent now, to whomever: cheap, and mostly no."""
    one = select(deliveries.c.id).where(_is_due(now_us)).limit(1)
    return connection.execute(one).first() is not None


def select_due(
    connection: Connection,
    now_us: int,
    limit: int,
    per_webhook: int,
    busy: Sequence[str],
    *,
    answered: bool,
) -> list[DeliveryRow]:
    """What may be sent now to endpoints that answered last time, or to those that did not yet.

    At most `per_webhook` of each endpoint and none of the `busy` ones. Costs a look into an index
    for each endpoint: no backlog hides the rest, or makes it slow.
    """
    oldest = (
        select(deliveries.c.next_attempt_at_us)
        .where(deliveries.c.webhook == webhooks.c.id, _is_due(now_us))
        .order_by(deliveries.c.next_attempt_at_us)
        .limit(1)
        .correlate(webhooks)
        .scalar_subquery()
    )
    endpoints = (
        select(webhooks.c.id, oldest.label("oldest"))
        .where(
            webhooks.c.enabled,
            webhooks.c.answered.is_(answered),
            webhooks.c.id.not_in(busy),
        )
        .subquery()
    )
    next_ones = (
        select(endpoints.c.id)
        .where(endpoints.c.oldest.is_not(None))
        .order_by(endpoints.c.oldest, endpoints.c.id)
        .limit(limit)
    )
    found: list[DeliveryRow] = []
    for webhook in connection.execute(next_ones).scalars().all():
        its_next = (
            select(deliveries)
            .where(deliveries.c.webhook == webhook, _is_due(now_us))
            .order_by(deliveries.c.next_attempt_at_us, deliveries.c.id)
            .limit(min(per_webhook, limit - len(found)))
        )
        found += [_delivery(row) for row in connection.execute(its_next).mappings()]
        if len(found) >= limit:
            break
    return found


def lease(connection: Connection, delivery_id: str, holder: str, now_us: int) -> bool:
    """Hold a delivery for LEASE_US; of two that try, one succeeds."""
    due = and_(deliveries.c.id == delivery_id, _is_due(now_us))
    held = deliveries.update().where(due).values(lease=holder, leased_until_us=now_us + LEASE_US)
    return connection.execute(held).rowcount == 1


def release(connection: Connection, delivery_ids: Sequence[str], holder: str) -> None:
    """Give deliveries back unsent: due at once for whoever comes next."""
    mine = and_(deliveries.c.id.in_(delivery_ids), deliveries.c.lease == holder)
    connection.execute(deliveries.update().where(mine).values(lease=None, leased_until_us=None))


def release_all(connection: Connection) -> None:
    """Give back what anybody holds."""
    held = deliveries.c.lease.is_not(None)
    connection.execute(deliveries.update().where(held).values(lease=None, leased_until_us=None))


def record(
    connection: Connection, row: DeliveryRow, holder: str, attempt: Attempt, **values: object
) -> bool:
    """Write an attempt down and let go of its delivery; False when somebody else has it now."""
    mine = and_(deliveries.c.id == row.id, deliveries.c.lease == holder)
    number = row.attempts + 1
    changed = connection.execute(
        deliveries.update()
        .where(mine)
        .values(attempts=number, lease=None, leased_until_us=None, **values)
    )
    if changed.rowcount != 1:
        return False
    stored = AttemptRow(
        delivery=row.id,
        number=number,
        started_at_us=attempt.started_at_us,
        duration_ms=attempt.duration_ms,
        status_code=attempt.status_code,
        error=attempt.error,
        response_excerpt=attempt.response_excerpt,
    )
    connection.execute(insert(delivery_attempts).values(msgspec.structs.asdict(stored)))
    return True


def give_up_pending(connection: Connection, webhook_id: str, now_us: int) -> None:
    """What waits for an endpoint that was disabled has failed; it can be redelivered."""
    waiting = and_(
        deliveries.c.webhook == webhook_id,
        deliveries.c.status == "pending",
        deliveries.c.lease.is_(None),
    )
    connection.execute(
        deliveries.update()
        .where(waiting)
        .values(status="failed", next_attempt_at_us=None, finished_at_us=now_us)
    )


def find_delivery(
    connection: Connection, account: int, webhook_id: str, delivery_id: str
) -> DeliveryRow | None:
    mine = and_(_of(account, webhook_id), deliveries.c.id == delivery_id)
    row = connection.execute(select(deliveries).where(mine)).mappings().first()
    return None if row is None else _delivery(row)


def start_again(connection: Connection, row: DeliveryRow, now_us: int) -> None:
    """Due now, with all ten attempts before it; the ones made are still listed."""
    connection.execute(
        deliveries.update()
        .where(deliveries.c.id == row.id, deliveries.c.account == row.account)
        .values(
            status="pending",
            round_start=deliveries.c.attempts,
            next_attempt_at_us=now_us,
            finished_at_us=None,
        )
    )


def select_deliveries(
    connection: Connection,
    account: int,
    webhook_id: str,
    *,
    limit: int,
    offset: int,
    after: Position | None,
) -> list[DeliveryRow]:
    """A page of an endpoint's deliveries, newest first."""
    page = (
        select(deliveries)
        .where(_of(account, webhook_id))
        .order_by(deliveries.c.created_at_us.desc(), deliveries.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(deliveries.c.created_at_us, deliveries.c.id) < tuple_(*after))
    return [_delivery(row) for row in connection.execute(page).mappings()]


def count_deliveries(connection: Connection, account: int, webhook_id: str) -> int:
    mine = select(func.count()).select_from(deliveries).where(_of(account, webhook_id))
    return int(connection.execute(mine).scalar_one())


def select_attempts(
    connection: Connection, delivery_ids: Sequence[str]
) -> dict[str, list[AttemptRow]]:
    """The attempts of deliveries that were found for their account, by delivery, in order."""
    found: dict[str, list[AttemptRow]] = {delivery_id: [] for delivery_id in delivery_ids}
    query = (
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery.in_(delivery_ids))
        .order_by(delivery_attempts.c.delivery, delivery_attempts.c.number)
    )
    for row in connection.execute(query).mappings():
        found[row["delivery"]].append(AttemptRow(**row))
    return found


def count_by_status(connection: Connection) -> Mapping[str, int]:
    """How many deliveries of all accounts stand where."""
    counts = select(deliveries.c.status, func.count()).group_by(deliveries.c.status)
    return {str(status): int(count) for status, count in connection.execute(counts)}


def purge(connection: Connection, now_us: int) -> int:
    """Forget what was finished 30 days ago, of all accounts, some thousand rows at a time."""
    old = select(deliveries.c.id).where(deliveries.c.finished_at_us < now_us - KEPT_US)
    gone = list(connection.execute(old.limit(_PURGE_ROWS)).scalars())
    connection.execute(delivery_attempts.delete().where(delivery_attempts.c.delivery.in_(gone)))
    return connection.execute(deliveries.delete().where(deliveries.c.id.in_(gone))).rowcount


def _of(account: int, webhook_id: str) -> ColumnElement[bool]:
    return and_(deliveries.c.account == account, deliveries.c.webhook == webhook_id)


def _is_due(now_us: int) -> ColumnElement[bool]:
    return and_(
        deliveries.c.status == "pending",
        deliveries.c.next_attempt_at_us <= now_us,
        or_(deliveries.c.leased_until_us.is_(None), deliveries.c.leased_until_us <= now_us),
    )


def _delivery(row: RowMapping) -> DeliveryRow:
    return DeliveryRow(**{name: row[name] for name in DeliveryRow.__struct_fields__})
