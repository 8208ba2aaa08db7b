"""What is known in memory of one account's limits: their books, who is blocked, what was told.

Not thread-safe: the ledger has the lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from infraprism_server.event_store.contract import Event, Outcome
from infraprism_server.event_store.event_columns import entities_of
from infraprism_server.limits.blocking import BlockList, Standing, deciding
from infraprism_server.limits.limit import EACH, METRICS, Entity, Limit
from infraprism_server.limits.period import Period, PeriodKind, resets_at_us
from infraprism_server.limits.tally import Book, BookKey, Cells, Rooms, add_up

_ENDLESS: Final = 1 << 100


class AlertKey(NamedTuple):
    """What is told at most once."""

    limit_id: str
    amount: int
    entity_id: str
    period: PeriodKind
    period_start_us: int
    threshold: str


class Crossing(NamedTuple):
    """A threshold that an entity has passed in a period that may still ring."""

    key: AlertKey
    limit: Limit
    spent: int
    unpriced: int
    period: Period


class AccountLimits:
    """The limits of one account and the state of every entity they cover."""

    def __init__(self, now_us: int) -> None:
        self.limits: dict[str, Limit] = {}
        self.books: dict[BookKey, Book] = {}
        self.blocked = BlockList(now_us)
        self.told: set[AlertKey] = set()
        self.dirty: set[Entity] = set()
        self.known = False
        """Whether the sums were read from the event store at least once."""
        self._by_entity: dict[Entity, dict[str, Limit]] = {}
        self._blocking = 0
        self._cells: Cells = {}
        """What was committed and is not in the books yet."""
        self._rooms: Rooms = {}
        """Whoever has room left is where the last look found him: nobody must look again."""

    @property
    def can_block(self) -> bool:
        return self._blocking > 0

    def put(self, limit: Limit, now_us: int) -> None:
        """Add a limit, or take its new version; its sums must be read afterwards."""
        entity = Entity(limit.entity_type, limit.entity_id)
        key = book_key(limit)
        book = self.books.get(key)
        if book is None:
            book = self.books[key] = Book(key, now_us)
        book.follow(entity)
        # Only now: what the version before it had read must not be forgotten in between.
        self.remove(limit.id)
        self.limits[limit.id] = limit
        self._by_entity.setdefault(entity, {})[limit.id] = limit
        self._blocking += limit.action == "block"
        self._touch(entity)

    def remove(self, limit_id: str) -> None:
        """Forget a limit, where it is known."""
        limit = self.limits.pop(limit_id, None)
        if limit is None:
            return
        entity = Entity(limit.entity_type, limit.entity_id)
        self._touch(entity)
        mine = self._by_entity[entity]
        del mine[limit_id]
        if not mine:
            del self._by_entity[entity]
        self._blocking -= limit.action == "block"
        book = self.books[book_key(limit)]
        book.unfollow(entity)
        if not book.followed:
            del self.books[book_key(limit)]

    def follows(self, entity_type: str, entity_id: str) -> bool:
        mine = self._by_entity
        return (entity_type, entity_id) in mine or (entity_type, EACH) in mine

    def of(self, entity: Entity) -> Iterator[Limit]:
        """The limits that cover an entity."""
        yield from self._by_entity.get(entity, {}).values()
        if entity.id != EACH:  # that may be an entity's own id as well
            yield from self._by_entity.get(Entity(entity.type, EACH), {}).values()

    def take(self, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        """Take over what was committed; the books follow at the next `flush`."""
        cramped = add_up(self._cells, self._rooms, events, outcomes, self.follows)
        self.dirty.update(Entity(kind, name) for kind, name in cramped)

    def flush(self, now_us: int) -> Cells:
        """Bring the books up to date; what was added."""
        self.advance(now_us)
        cells, self._cells = self._cells, {}
        if cells:
            for book in self.books.values():
                book.add(cells)
        return cells

    def forget_rooms(self) -> None:
        """After a change that anybody may have come nearer to a limit by."""
        self._rooms.clear()

    def advance(self, now_us: int) -> None:
        """Where a period began, look again at whoever was blocked or has spent ahead of it."""
        for book in self.books.values():
            book.advance(now_us)
            if book.began:
                book.began = False
                self.forget_rooms()  # whoever passed everything has it all before him again
                self.dirty.update(self.blocked.entities)
                self.dirty.update(book.spenders(book.current(now_us).start_us))

    def standing(self, limit: Limit, entity: Entity, now_us: int) -> Standing:
        """Where an entity stands in the current period of a limit that covers it."""
        book = self.books[book_key(limit)]
        period = book.current(now_us)
        spent = book.spent(entity, period.start_us)
        return Standing(
            limit,
            entity,
            spent.of(limit.metric),
            spent.unpriced,
            period.start_us,
            resets_at_us(period),
        )

    def decides(self, entity: Entity, now_us: int) -> Standing | None:
        """The limit that decides for an entity; None: no limit covers it."""
        return deciding(self.standing(limit, entity, now_us) for limit in self.of(entity))

    def in_question(self, events: Sequence[Event]) -> list[Entity]:
        """Of the entities of some events those that are, or may be, blocked now."""
        blocked, dirty = self.blocked, self.dirty
        if not dirty and not blocked:  # nearly always: the events need not be looked at
            return []
        return sorted(
            Entity(kind, name)
            for kind, name in entities_of(events)
            if kind is not None
            and name is not None
            and ((kind, name) in dirty or blocked.has((kind, name)))
        )

    def highest(self, limit: Limit, now_us: int) -> tuple[Standing, int]:
        """Of a `*` limit the entity that spent most, and how many have reached the amount."""
        book = self.books[book_key(limit)]
        period = book.current(now_us)
        best, reached = Entity(limit.entity_type, EACH), 0
        most = -1
        for entity, spent in book.spenders(period.start_us).items():
            if entity.type == limit.entity_type:
                amount = spent.of(limit.metric)
                reached += amount >= limit.amount
                if amount > most:
                    best, most = entity, amount
        return self.standing(limit, best, now_us), reached

    def near(self, now_us: int) -> Iterator[Standing]:
        """Whoever has passed the first threshold of a limit, once for each such limit."""
        for limit in self.limits.values():
            entity = Entity(limit.entity_type, limit.entity_id)
            first = limit.thresholds()[0][1]
            if limit.entity_id != EACH:
                standing = self.standing(limit, entity, now_us)
                if standing.spent >= first:
                    yield standing
                continue
            book = self.books[book_key(limit)]
            for entity, spent in book.spenders(book.current(now_us).start_us).items():
                if entity.type == limit.entity_type and spent.of(limit.metric) >= first:
                    yield self.standing(limit, entity, now_us)

    def look_at(self, entity: Entity, now_us: int) -> list[Crossing]:
        """Bring up to date whether an entity is blocked; what is still to be told of it."""
        crossings = []
        room = [_ENDLESS, _ENDLESS, _ENDLESS]
        for limit in self.of(entity):
            place = METRICS.index(limit.metric)
            book = self.books[book_key(limit)]
            for period in book.ringing(now_us):
                spent = book.spent(entity, period.start_us)
                units = spent.of(limit.metric)
                for threshold, cutoff in limit.thresholds():
                    if units < cutoff:
                        room[place] = min(room[place], cutoff - units)
                        break
                    key = AlertKey(
                        limit.id,
                        limit.amount,
                        entity.id,
                        limit.period,
                        period.start_us,
                        threshold,
                    )
                    if key not in self.told:
                        crossings.append(Crossing(key, limit, units, spent.unpriced, period))
        self._rooms[entity] = room
        self.blocked.update(entity, self.decides(entity, now_us), now_us)
        return crossings

    def _touch(self, entity: Entity) -> None:
        """Look again at an entity, or at each of its type."""
        if entity.id == EACH:
            self.forget_rooms()
        self._rooms.pop(entity, None)
        if entity.id != EACH:
            self.dirty.add(entity)
            return
        of_type = {each for each in self.blocked.entities if each.type == entity.type}
        for book in self.books.values():
            for start in book.edges[:-1]:
                of_type |= {each for each in book.spenders(start) if each.type == entity.type}
        self.dirty |= of_type


def book_key(limit: Limit) -> BookKey:
    """The book a limit is kept in."""
    return BookKey(limit.period, limit.timezone)
