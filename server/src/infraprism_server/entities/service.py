"""Entities: what each costs, beside what people say about it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import Clock
from infraprism_server.entities.margin import revenue_pico
from infraprism_server.entities.schemas import (
    MAX_REVENUE_PICO,
    EntityDetail,
    EntityOut,
    ListEntitiesQuery,
    PatchEntity,
)
from infraprism_server.entities.store import EntityRecord, EntityRecords
from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.event_store.contract import (
    EntityQuery,
    EntityTotals,
    EventFilter,
    EventStore,
    UsageQuery,
)
from infraprism_server.event_store.sums import COST
from infraprism_server.http.fields import ENTITY_TYPE, check_entity_id, check_printable
from infraprism_server.http.time_range import TimeRange, parse_range, zone_named
from infraprism_server.http.wire import Dollars, instant, pico_of
from infraprism_server.money import pico_from_decimal

WRITE_TIMEOUT_SECONDS = 30
MAX_MODELS = 1_000
MAX_NAMED = 1_000
MAX_RANKED = 5_000
"""Most entities that are looked through for those that lose."""


class EntityService:
    """Entities of one account at a time."""

    def __init__(
        self,
        store: EventStore,
        records: EntityRecords,
        accounts: AccountService,
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = records
        self._accounts = accounts
        self._clock = clock

    def page(
        self, account: int, query: ListEntitiesQuery, offset: int, search: str | None = None
    ) -> tuple[list[EntityOut], int]:
        """A page of entities and how many there are in all.

        `search` keeps those with the text in their id or name, whatever its case.
        """
        named: list[tuple[str, str]] = []
        if search is not None:
            check_printable(search, "search")
            named = self._records.find_named(account, search, MAX_NAMED)
        zone = zone_named(query.timezone or self._accounts.get(account).timezone)
        span = parse_range(query.start_date, query.end_date, zone)
        page = self._store.list_entities(
            EntityQuery(
                account=account,
                entity_type=query.type,
                id_contains=search,
                named=tuple(named),
                start_us=span.start_us,
                end_us=span.end_us,
                sort=query.sort.removeprefix("-"),  # type: ignore[arg-type]
                descending=query.sort.startswith("-"),
                limit=query.limit,
                offset=offset,
            )
        )
        keys = [(totals.entity_type, totals.entity_id) for totals in page.entities]
        records = self._records.find_many(account, keys)
        found = [
            EntityOut(**self._fields(totals, records.get(key, EntityRecord()), span, zone))
            for key, totals in zip(keys, page.entities, strict=True)
        ]
        return found, page.total

    def losing(self, account: int, query: ListEntitiesQuery, most: int) -> list[EntityOut]:
        """Those that cost more than they bring in the query's range, the largest loss first.

        Looked for among the dearest MAX_RANKED entities, and only where a revenue is known.
        """
        records = self._records.find_with_revenue(account, MAX_RANKED)
        if not records:
            return []
        zone = zone_named(query.timezone or self._accounts.get(account).timezone)
        span = parse_range(query.start_date, query.end_date, zone)
        page = self._store.list_entities(
            EntityQuery(
                account=account,
                entity_type=query.type,
                start_us=span.start_us,
                end_us=span.end_us,
                limit=MAX_RANKED,
            )
        )
        found = [
            EntityOut(**self._fields(totals, record, span, zone))
            for totals in page.entities
            if (record := records.get((totals.entity_type, totals.entity_id))) is not None
        ]
        losing = [
            each for each in found if each.margin_usd is not None and each.margin_usd.pico < 0
        ]
        return sorted(losing, key=_margin_pico)[:most]

    def get(self, account: int, entity_type: str, entity_id: str) -> EntityDetail:
        """One entity with its cost by model, or NotFound."""
        totals = self._store.find_entity(account, entity_type, entity_id)
        if totals is None:
            raise NotFound("There is no entity of this type and id")
        by_model: dict[str, Dollars] = {}
        if totals.first_seen_us is not None and totals.last_seen_us is not None:
            question = UsageQuery(
                filter=EventFilter(account=account, entity_type=entity_type, entity_id=entity_id),
                bounds_us=(totals.first_seen_us, totals.last_seen_us + 1),
                group_by=("model",),
                limit=MAX_MODELS,
                only=COST,
            )
            for row in self._store.usage(question).rows:
                if row.group is not None:
                    by_model[str(row.group[0])] = Dollars(row.sums.cost_pico)
        key = (entity_type, entity_id)
        record = self._records.find_many(account, [key]).get(key, EntityRecord())
        zone = zone_named(self._accounts.get(account).timezone)
        fields = self._fields(totals, record, TimeRange(None, None), zone)
        return EntityDetail(**fields, cost_by_model=by_model)

    def summary(self, account: int, entity_type: str, entity_id: str) -> EntityOut:
        """One entity with its sums of all time, or NotFound: without its cost by model."""
        totals = self._store.find_entity(account, entity_type, entity_id)
        if totals is None:
            raise NotFound("There is no entity of this type and id")
        key = (entity_type, entity_id)
        record = self._records.find_many(account, [key]).get(key, EntityRecord())
        zone = zone_named(self._accounts.get(account).timezone)
        return EntityOut(**self._fields(totals, record, TimeRange(None, None), zone))

    def names(self, account: int, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The names that were given to some of these (type, id) pairs, up to a page of them."""
        found = self._records.find_many(account, keys)
        return {key: record.name for key, record in found.items() if record.name is not None}

    def patch(
        self, account: int, entity_type: str, entity_id: str, patch: PatchEntity
    ) -> EntityDetail:
        """Say something about an entity; one without events comes into being."""
        if ENTITY_TYPE.fullmatch(entity_type) is None:
            raise InvalidRequest(
                "An entity type is a lower-case slug of up to 64 characters", "entity_type"
            )
        if not 1 <= len(entity_id) <= 256:
            raise InvalidRequest("An entity id has 1 to 256 characters", "entity_id")
        check_entity_id(entity_id)
        changes = _changes(patch)
        self._store.remember_entities(account, [(entity_type, entity_id)]).result(
            WRITE_TIMEOUT_SECONDS
        )
        self._records.change(account, entity_type, entity_id, changes, self._clock.now_us())
        return self.get(account, entity_type, entity_id)

    def _fields(
        self, totals: EntityTotals, record: EntityRecord, span: TimeRange, zone: ZoneInfo
    ) -> dict[str, Any]:
        sums = totals.sums
        revenue: int | None = None
        monthly = record.revenue_usd_monthly
        start_us = span.start_us if span.start_us is not None else totals.first_seen_us
        if monthly is not None and start_us is not None:
            now_us = self._clock.now_us()
            end_us = now_us if span.end_us is None else min(span.end_us, now_us)
            revenue = revenue_pico(Decimal(monthly), max(start_us, 0), end_us, zone)
        return {
            "entity_type": totals.entity_type,
            "entity_id": totals.entity_id,
            "first_seen": instant(totals.first_seen_us),
            "last_seen": instant(totals.last_seen_us),
            "total_cost": Dollars(sums.cost_pico),
            "total_events": sums.events,
            "total_tokens": sums.input_tokens + sums.output_tokens,
            "errors": sums.errors,
            "unpriced_events": sums.unpriced_events,
            "name": record.name,
            "metadata": msgspec.json.decode(record.metadata, type=dict[str, str]),
            "revenue_usd_monthly": None
            if monthly is None
            else Dollars(pico_from_decimal(Decimal(monthly))),
            "revenue_usd": None if revenue is None else Dollars(revenue),
            "margin_usd": None if revenue is None else Dollars(revenue - sums.cost_pico),
        }


def _margin_pico(entity: EntityOut) -> int:
    return 0 if entity.margin_usd is None else entity.margin_usd.pico


def _changes(patch: PatchEntity) -> dict[str, str | None]:
    """The columns a patch sets."""
    changes: dict[str, str | None] = {}
    if patch.name is not msgspec.UNSET:
        check_printable(patch.name, "name")
        changes["name"] = patch.name
    if patch.metadata is not msgspec.UNSET:
        for key, value in (patch.metadata or {}).items():
            check_printable(key, "metadata")
            check_printable(value, f"metadata.{key}")
        changes["metadata"] = msgspec.json.encode(patch.metadata or {}).decode()
    if patch.revenue_usd_monthly:
        pico = pico_of(patch.revenue_usd_monthly, "revenue_usd_monthly", MAX_REVENUE_PICO)
        changes["revenue_usd_monthly"] = None if pico is None else Dollars(pico).text()
    return changes
