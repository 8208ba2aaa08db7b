"""Usage: which instants and groups a question means, and every interval of the answer."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import Clock, from_us, to_us
from infraprism_server.event_store.contract import (
    EventFilter,
    EventStore,
    GroupField,
    TagKey,
    UsagePage,
    UsageQuery,
    UsageRow,
)
from infraprism_server.event_store.sums import Sums
from infraprism_server.events.service import EventService
from infraprism_server.http.time_range import zone_named
from infraprism_server.usage.interval import MAX_BUCKETS, bounds_of
from infraprism_server.usage.schemas import UsageQueryIn

_LATEST_US = 253_402_128_000_000_000
"""9999-12-30: later instants have no local time in every zone."""


class UsageAnswer(msgspec.Struct, frozen=True):
    """A page of rows with the edges and the zone they are told in."""

    page: UsagePage
    bounds_us: tuple[int, ...]
    zone: ZoneInfo
    group_by: tuple[str, ...]


class UsageService:
    """Sums over any filter, group and interval of one account."""

    def __init__(
        self, store: EventStore, events: EventService, accounts: AccountService, clock: Clock
    ) -> None:
        self._store = store
        self._events = events
        self._accounts = accounts
        self._clock = clock

    def sum(
        self, account: int, query: UsageQueryIn, offset: int, only: frozenset[str] = frozenset()
    ) -> UsageAnswer:
        """The sums asked for, all or `only` some. InvalidRequest for dates and too many intervals.

        Who needs few of them is answered sooner.
        """
        zone = zone_named(query.timezone or self._accounts.get(account).timezone)
        where = self._events.where(account, query)
        start_us, end_us = self._span(where, zone)
        bounds_us = bounds_of(start_us, end_us, query.interval, zone)
        group_by = tuple(dict.fromkeys(query.group_by))
        question = UsageQuery(
            filter=where,
            bounds_us=bounds_us,
            group_by=tuple(_group_field(name) for name in group_by),
            top=query.top if group_by else None,
            limit=query.limit if group_by else MAX_BUCKETS,
            offset=offset if group_by else 0,
            only=only,
        )
        page = self._store.usage(question)
        if not group_by:
            page = _every_interval(page, len(bounds_us) - 1, query.limit, offset)
        return UsageAnswer(page, bounds_us, zone, group_by)

    def _span(self, where: EventFilter, zone: ZoneInfo) -> tuple[int, int]:
        """The range's ends; an open one is where the account's events begin or end."""
        start_us, end_us = where.start_us, where.end_us
        if start_us is None or end_us is None:
            extent = self._store.find_extent(where.account)
            if start_us is None and extent is not None:
                start_us = _midnight_before(extent[0], zone)
            if end_us is None:
                end_us = max(self._clock.now_us(), extent[1] + 1 if extent else 0)
        start_us = end_us if start_us is None else start_us
        start_us = min(max(start_us, 0), _LATEST_US)
        return start_us, min(max(end_us, start_us), _LATEST_US)


def _midnight_before(instant_us: int, zone: ZoneInfo) -> int:
    local = from_us(instant_us).astimezone(zone)
    return to_us(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def _group_field(name: str) -> GroupField | TagKey:
    if name.startswith("tags["):
        return TagKey(name[5:-1])
    return name  # type: ignore[return-value]  # the schema's pattern lets no other through


def _every_interval(page: UsagePage, intervals: int, limit: int, offset: int) -> UsagePage:
    """Without groups every interval is present, those without events with zero sums."""
    sums = {row.bucket: row.sums for row in page.rows}
    wanted = range(offset, min(offset + limit, intervals))
    rows = [UsageRow(bucket, (), sums.get(bucket, Sums())) for bucket in wanted]
    return UsagePage(rows, intervals, page.totals)
