"""What people say about entities: queries over the control store's `entities`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Engine, and_, or_, select
from sqlalchemy.exc import IntegrityError

from infraprism_server.control_store.tables import entities


class EntityRecord(msgspec.Struct, frozen=True):
    """Name, metadata (JSON text) and monthly revenue (decimal text) of one entity."""

    name: str | None = None
    metadata: str = "{}"
    revenue_usd_monthly: str | None = None


class EntityRecords:
    """Records by (type, id), for one account at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_many(
        self, account: int, keys: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], EntityRecord]:
        """The records there are among up to a page of entities."""
        by_type: dict[str, list[str]] = {}
        for entity_type, entity_id in keys:
            by_type.setdefault(entity_type, []).append(entity_id)
        if not by_type:
            return {}
        among = or_(
            *(
                and_(entities.c.entity_type == entity_type, entities.c.entity_id.in_(entity_ids))
                for entity_type, entity_ids in by_type.items()
            )
        )
        statement = select(
            entities.c.entity_type,
            entities.c.entity_id,
            entities.c.name,
            entities.c.metadata,
            entities.c.revenue_usd_monthly,
        ).where(entities.c.account == account, among)
        with self._engine.connect() as connection:
            rows = connection.execute(statement).all()
        return {(row[0], row[1]): EntityRecord(row[2], row[3], row[4]) for row in rows}

    def find_named(self, account: int, text: str, limit: int) -> list[tuple[str, str]]:
        """(type, id) of entities whose name has the text in it, whatever its case (of ASCII)."""
        statement = (
            select(entities.c.entity_type, entities.c.entity_id)
            .where(entities.c.account == account, entities.c.name.icontains(text, autoescape=True))
            .order_by(entities.c.entity_type, entities.c.entity_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(statement).all()]

    def find_with_revenue(self, account: int, limit: int) -> dict[tuple[str, str], EntityRecord]:
        """The records that say what an entity brings in."""
        statement = (
            select(
                entities.c.entity_type,
                entities.c.entity_id,
                entities.c.name,
                entities.c.metadata,
                entities.c.revenue_usd_monthly,
            )
            .where(entities.c.account == account, entities.c.revenue_usd_monthly.is_not(None))
            .limit(limit)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(statement).all()
        return {(row[0], row[1]): EntityRecord(row[2], row[3], row[4]) for row in rows}

    def change(
        self,
        account: int,
        entity_type: str,
        entity_id: str,
        changes: dict[str, str | None],
        now_us: int,
    ) -> None:
        """Make or change the record; what `changes` does not name stays."""
        mine = and_(
            entities.c.account == account,
            entities.c.entity_type == entity_type,
            entities.c.entity_id == entity_id,
        )
        values = {**changes, "updated_at_us": now_us}
        with self._engine.begin() as connection:
            if connection.execute(entities.update().where(mine).values(values)).rowcount:
                return
        new = {"metadata": "{}", **values}
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    entities.insert().values(
                        account=account, entity_type=entity_type, entity_id=entity_id, **new
                    )
                )
        except IntegrityError:  # another request made it in between
            with self._engine.begin() as connection:
                connection.execute(entities.update().where(mine).values(values))
