"""Queries over the control store's limits and what was told of them; the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, RowMapping, and_, func, or_, select, tuple_

from infraprism_server.control_store.tables import limit_alerts, limits
from infraprism_server.limits.account_limits import AlertKey
from infraprism_server.limits.limit import Limit


class Position(NamedTuple):
    """Where a page ends: what comes after it is older, or as old with a lower id."""

    created_at_us: int
    id: str


def insert_limit(connection: Connection, limit: Limit) -> None:
    connection.execute(limits.insert().values(_values(limit)))


def update_limit(connection: Connection, limit: Limit) -> None:
    """Write a changed limit over the one with its id."""
    mine = and_(limits.c.account == limit.account, limits.c.id == limit.id)
    connection.execute(limits.update().where(mine).values(_values(limit)))


def delete_limit(connection: Connection, account: int, limit_id: str) -> bool:
    """Whether the account had the limit; it is gone now, with what was told of it."""
    told = and_(limit_alerts.c.account == account, limit_alerts.c.limit_id == limit_id)
    connection.execute(limit_alerts.delete().where(told))
    mine = and_(limits.c.account == account, limits.c.id == limit_id)
    return connection.execute(limits.delete().where(mine)).rowcount > 0


def find_limit(connection: Connection, account: int, limit_id: str) -> Limit | None:
    mine = and_(limits.c.account == account, limits.c.id == limit_id)
    row = connection.execute(select(limits).where(mine)).mappings().first()
    return None if row is None else _limit(row)


def select_limits(
    connection: Connection,
    account: int,
    limit: int,
    offset: int,
    after: Position | None,
    *,
    entity_type: str | None = None,
    entity_id: str | None = None,
) -> list[Limit]:
    """A page of an account's limits, newest first."""
    page = (
        select(limits)
        .where(_of(account, entity_type, entity_id))
        .order_by(limits.c.created_at_us.desc(), limits.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(limits.c.created_at_us, limits.c.id) < tuple_(*after))
    return [_limit(row) for row in connection.execute(page).mappings()]


def count_limits(
    connection: Connection,
    account: int,
    entity_type: str | None = None,
    entity_id: str | None = None,
) -> int:
    mine = _of(account, entity_type, entity_id)
    return int(
        connection.execute(select(func.count()).select_from(limits).where(mine)).scalar_one()
    )


def select_all(connection: Connection) -> dict[int, list[Limit]]:
    """Every limit there is, by account: the watch keeps them in memory."""
    found: dict[int, list[Limit]] = {}
    for row in connection.execute(select(limits)).mappings():
        found.setdefault(row["account"], []).append(_limit(row))
    return found


def select_told(connection: Connection, account: int, since_us: int) -> set[AlertKey]:
    """What was told of an account's periods that began at that instant or later, and of totals."""
    recent = or_(limit_alerts.c.period_start_us >= since_us, limit_alerts.c.period == "total")
    mine = select(limit_alerts).where(limit_alerts.c.account == account, recent)
    return {
        AlertKey(
            row["limit_id"],
            int(row["amount"]),
            row["entity_id"],
            row["period"],
            row["period_start_us"],
            row["threshold"],
        )
        for row in connection.execute(mine).mappings()
    }


def is_told(connection: Connection, key: AlertKey) -> bool:
    same = and_(
        limit_alerts.c.limit_id == key.limit_id,
        limit_alerts.c.amount == str(key.amount),
        limit_alerts.c.entity_id == key.entity_id,
        limit_alerts.c.period == key.period,
        limit_alerts.c.period_start_us == key.period_start_us,
        limit_alerts.c.threshold == key.threshold,
    )
    return connection.execute(select(limit_alerts.c.account).where(same)).first() is not None


def insert_told(connection: Connection, account: int, key: AlertKey, now_us: int) -> None:
    """Note what is told in this transaction; IntegrityError when another process just did."""
    fields: dict[str, Any] = key._asdict() | {"amount": str(key.amount)}
    connection.execute(
        limit_alerts.insert().values(**fields, account=account, created_at_us=now_us)
    )


def purge_told(connection: Connection, before_us: int) -> int:
    """Forget what was told of periods that began so long ago that they can ring no more."""
    old = and_(limit_alerts.c.period_start_us < before_us, limit_alerts.c.period != "total")
    return connection.execute(limit_alerts.delete().where(old)).rowcount


def count_all(connection: Connection) -> int:
    """How many limits there are, of all accounts."""
    return int(connection.execute(select(func.count()).select_from(limits)).scalar_one())


def count_told(connection: Connection) -> dict[bool, int]:
    """How many alerts are kept: True for those of an amount that was reached."""
    reached = limit_alerts.c.threshold == "1"
    rows = connection.execute(select(reached, func.count()).group_by(reached)).all()
    return {bool(is_reached): count for is_reached, count in rows}


def stored(connection: Connection, ids: Iterable[str]) -> dict[str, Limit]:
    """Of some limits those that are stored, as they are now."""
    wanted: Sequence[str] = sorted(set(ids))
    rows = connection.execute(select(limits).where(limits.c.id.in_(wanted))).mappings()
    return {row["id"]: _limit(row) for row in rows}


def _of(account: int, entity_type: str | None, entity_id: str | None) -> Any:  # noqa: ANN401
    mine = [limits.c.account == account]
    if entity_type is not None:
        mine.append(limits.c.entity_type == entity_type)
    if entity_id is not None:
        mine.append(limits.c.entity_id == entity_id)
    return and_(*mine)


def _values(limit: Limit) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.structs.asdict(limit)
    fields["amount"] = str(limit.amount)
    fields["approaching"] = msgspec.json.encode(limit.approaching).decode()
    return fields


def _limit(row: RowMapping) -> Limit:
    fields: dict[str, Any] = dict(row)
    fields["amount"] = int(row["amount"])
    fields["approaching"] = msgspec.json.decode(row["approaching"], type=tuple[str, ...])
    return Limit(**fields)
