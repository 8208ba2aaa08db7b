"""Limits: make, list, change, delete, and ask where an entity stands. Orders the steps only."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import Clock
from infraprism_server.errors import (
    Conflict,
    InfraPrismError,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from infraprism_server.event_store.contract import Event
from infraprism_server.http.fields import check_entity_id
from infraprism_server.http.idempotency import IdempotentRequest, answer_once
from infraprism_server.http.time_range import parse_range, zone_named
from infraprism_server.http.wire import Instant, decimal_of, encode
from infraprism_server.limits import answers, store
from infraprism_server.limits.account_limits import book_key
from infraprism_server.limits.blocking import Standing
from infraprism_server.limits.ledger import Ledger
from infraprism_server.limits.limit import Entity, Limit, checked_amount, checked_approaching
from infraprism_server.limits.schemas import (
    Blocked,
    BlockedOut,
    ChangeLimit,
    CreateLimit,
    LimitOut,
    LimitStatus,
)
from infraprism_server.limits.store import Position
from infraprism_server.limits.watch import LimitWatch

LIMIT: Final = "lim"
MAX_LIMITS: Final = 10_000
"""Limits of one account; one with `*` covers any number of entities."""
_DEFAULT_APPROACHING: Final = ("0.8",)
_UTC: Final = ZoneInfo("UTC")
_LOAD_SECONDS: Final = 2.0
"""How long a question waits, right after a start, until the sums are read."""


class LimitPage(NamedTuple):
    """One page of limits, newest first."""

    data: list[LimitOut]
    total: int
    next_position: Position | None


class NearPage(NamedTuple):
    """Whoever is near a limit or over it, and how many there are in all."""

    data: list[Standing]
    total: int


class LimitService:
    """What can be done with limits. Every method says whose they are. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        accounts: AccountService,
        ledger: Ledger,
        watch: LimitWatch,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._accounts = accounts
        self._ledger = ledger
        self._watch = watch

    def create(self, account: int, new: CreateLimit, idempotent: IdempotentRequest | None) -> bytes:
        """Make a limit and look at it at once; the answer's body, a LimitOut.

        InvalidRequest names a bad field; Conflict: the account has MAX_LIMITS.
        """
        now_us = self._clock.now_us()
        check_entity_id(new.entity_id)
        limit = Limit(
            id=ids.new_id(LIMIT),
            account=account,
            entity_type=new.entity_type,
            entity_id=new.entity_id,
            metric=new.metric,
            amount=checked_amount(new.metric, decimal_of(new.amount, "amount")),
            period=new.period,
            timezone=self._zone(account, new.timezone),
            action=new.action,
            approaching=(
                _DEFAULT_APPROACHING
                if new.approaching is msgspec.UNSET
                else _fractions(new.approaching)
            ),
            created_at_us=now_us,
            updated_at_us=now_us,
        )
        self._wait_until_known()

        made: list[str] = []

        def make(connection: Connection) -> tuple[str, bytes]:
            if store.count_limits(connection, account) >= MAX_LIMITS:
                raise Conflict(f"An account has at most {MAX_LIMITS:,} limits; delete one")
            store.insert_limit(connection, limit)
            made.append(limit.id)
            return limit.id, encode(self._out(limit))

        with self._watch.changing():
            # Read before the transaction: the control store must not wait for the event store.
            self._look_at(limit)
            try:
                body = answer_once(self._engine, account, idempotent, now_us, make)
            except BaseException:
                made.clear()
                raise
            finally:
                if not made:  # refused, or made by an earlier request with this key
                    self._ledger.remove(account, limit.id)
            if made:
                self._ledger.put(limit)  # now that it is stored, it may ring
        self._watch.ring()
        return body

    def page(
        self,
        account: int,
        limit: int,
        offset: int,
        after: Position | None,
        *,
        entity_type: str | None = None,
        entity_id: str | None = None,
    ) -> LimitPage:
        """Newest first; `after` goes on where a page ended. The entity filters by name, `*` too."""
        self._wait_until_known()
        with self._engine.connect() as connection:
            rows = store.select_limits(
                connection,
                account,
                limit + 1,
                offset,
                after,
                entity_type=entity_type,
                entity_id=entity_id,
            )
            total = store.count_limits(connection, account, entity_type, entity_id)
        shown = rows[:limit]
        position = Position(shown[-1].created_at_us, shown[-1].id) if len(rows) > limit else None
        return LimitPage([self._out(each) for each in shown], total, position)

    def get(self, account: int, limit_id: str) -> LimitOut:
        """The limit with its current period, or NotFound."""
        self._wait_until_known()
        with self._engine.connect() as connection:
            return self._out(_find(connection, account, limit_id))

    def change(self, account: int, limit_id: str, change: ChangeLimit) -> LimitOut:
        """Change what is given and look at the limit at once. NotFound, InvalidRequest."""
        self._wait_until_known()
        with self._watch.changing():
            with self._engine.begin() as connection:
                before = _find(connection, account, limit_id)
                limit = self._changed(before, change)
                if limit != before:
                    limit = msgspec.structs.replace(limit, updated_at_us=self._clock.now_us())
                    store.update_limit(connection, limit)
            if limit != before:
                self._look_at(limit)
        self._watch.ring()
        return self._out(limit)

    def delete(self, account: int, limit_id: str) -> None:
        """Delete the limit and what was told of it. NotFound if there is none."""
        with self._watch.changing():
            with self._engine.begin() as connection:
                if not store.delete_limit(connection, account, limit_id):
                    raise _no_limit()
            self._ledger.remove(account, limit_id)
        self._watch.ring()

    def forget(
        self, account: int, entity_type: str | None = None, entity_id: str | None = None
    ) -> int:
        """Delete the limits of one entity, or all of an account; how many."""
        deleted = 0
        while True:
            with self._engine.connect() as connection:
                found = store.select_limits(
                    connection,
                    account,
                    1_000,
                    0,
                    None,
                    entity_type=entity_type,
                    entity_id=entity_id,
                )
            if not found:
                return deleted
            for limit in found:
                self.delete(account, limit.id)
            deleted += len(found)

    def status(self, account: int, entity_type: str, entity_id: str) -> LimitStatus:
        """Whether the entity may call: from memory, exact up to the last commit."""
        check_entity_id(entity_id)
        self._wait_until_known()
        entity = Entity(entity_type, entity_id)
        now_us = self._clock.now_us()
        with self._ledger.account(account) as mine:
            decides = None if mine is None else mine.decides(entity, now_us)
        return answers.status_out(entity, decides)

    def near(self, account: int, most: int, limit_id: str | None = None) -> NearPage:
        """Who is near a limit or over it, the fullest first; of one limit or of all."""
        self._wait_until_known()
        now_us = self._clock.now_us()
        with self._ledger.account(account) as mine:
            found = [] if mine is None else list(mine.near(now_us))
        if limit_id is not None:
            found = [each for each in found if each.limit.id == limit_id]
        return NearPage(nsmallest(most, found, key=_fullest_first), len(found))

    def standings(self, account: int, entity_type: str, entity_id: str) -> list[Standing]:
        """Where an entity stands with every limit that covers it, the fullest first."""
        self._wait_until_known()
        now_us = self._clock.now_us()
        entity = Entity(entity_type, entity_id)
        with self._ledger.account(account) as mine:
            if mine is None:
                return []
            found = [mine.standing(limit, entity, now_us) for limit in mine.of(entity)]
        return sorted(found, key=_fullest_first)

    def blocked_since(self, account: int, since: str | None) -> BlockedOut:
        """Who is blocked, or which entities changed after that instant, an earlier `as_of`."""
        since_us = None if since is None else _instant(since)
        self._wait_until_known()
        self._watch.ring()  # up to the last commit, and what it brings is told as well
        with self._ledger.account(account) as mine:
            if mine is None:
                return BlockedOut([], True, Instant(0))
            changes = mine.blocked.since(since_us)
        return BlockedOut(
            [answers.change_out(each) for each in changes.changes],
            changes.complete,
            Instant(changes.as_of_us),
        )

    def blocked_among(self, account: int, events: Sequence[Event]) -> list[Blocked]:
        """The entities of a batch that are blocked now. Cheap where no limit blocks."""
        if not self._ledger.can_block(account):
            return []
        found = self._ledger.blocked_among(account, events)
        return [answers.blocked_out(each) for each in found]

    def _changed(self, before: Limit, change: ChangeLimit) -> Limit:
        values: dict[str, object] = {}
        if bytes(change.amount):
            amount = decimal_of(change.amount, "amount")
            values["amount"] = checked_amount(before.metric, amount)
        if change.period is not msgspec.UNSET:
            values["period"] = change.period
        if change.timezone is not msgspec.UNSET:
            values["timezone"] = zone_named(change.timezone).key
        if change.action is not msgspec.UNSET:
            values["action"] = change.action
        if change.approaching is not msgspec.UNSET:
            values["approaching"] = _fractions(change.approaching)
        return msgspec.structs.replace(before, **values)

    def _zone(self, account: int, name: str | None) -> str:
        return zone_named(name or self._accounts.get(account).timezone).key

    def _look_at(self, limit: Limit) -> None:
        """Take the limit into the ledger and read what was spent."""
        self._ledger.put(limit)
        self._watch.read(limit.account, book_key(limit), Entity(limit.entity_type, limit.entity_id))

    def _out(self, limit: Limit) -> LimitOut:
        now_us = self._clock.now_us()
        with self._ledger.account(limit.account) as mine:
            known = None if mine is None else mine.limits.get(limit.id)
            if mine is not None and known is not None:
                return answers.limit_out(mine, known, now_us)
        # Another process made it: the next sweep takes it over.
        with self._watch.changing():
            self._look_at(limit)
        with self._ledger.account(limit.account) as mine:
            if mine is None:
                raise InfraPrismError("The limit is not watched")
            return answers.limit_out(mine, limit, self._clock.now_us())

    def _wait_until_known(self) -> None:
        if not self._watch.loaded.wait(_LOAD_SECONDS):
            raise Unavailable("The sums of the limits are still being read", 1)


def _fullest_first(standing: Standing) -> tuple[int, str, str]:
    return -standing.parts_per_million, standing.limit.id, standing.entity.id


def _instant(since: str) -> int:
    try:
        found = parse_range(since, None, _UTC).start_us
    except InvalidRequest:
        found = None
    if found is None:
        raise InvalidRequest("'since' is the 'as_of' of an earlier answer", "since")
    return found


def _fractions(sent: Sequence[msgspec.Raw]) -> tuple[str, ...]:
    return checked_approaching(
        tuple(decimal_of(each, f"approaching[{place}]") for place, each in enumerate(sent))
    )


def _find(connection: Connection, account: int, limit_id: str) -> Limit:
    limit = store.find_limit(connection, account, limit_id)
    if limit is None:
        raise _no_limit()
    return limit


def _no_limit() -> NotFound:
    return NotFound("There is no limit with this id", "limit_id")
