"""What is known in memory of all limits, fed by the commits. Thread-safe; reads no store.

Commits and the marks of exact reads stand in one queue, in the order in which the event store's
writer saw them. So a sum that was read is right at its mark, and with the commits after the mark
it is right now: no event is missing and none is counted twice, however many writers there are.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock
from infraprism_server.event_store.contract import Event, Outcome
from infraprism_server.limits.account_limits import AccountLimits, AlertKey, Crossing
from infraprism_server.limits.blocking import Standing
from infraprism_server.limits.limit import Entity, Limit
from infraprism_server.limits.tally import BookKey, Cells, Row, replaced

_MAX_QUEUED: Final = 200
"""Commits that wait to be added; beyond it the writer adds them itself: memory stays bounded."""
_LOOKS_AT_ONCE: Final = 500
"""Entities looked at while the lock is held: about a millisecond."""


class _Commit(NamedTuple):
    account: int
    events: Sequence[Event]
    outcomes: Sequence[Outcome]
    at_us: int


class Reading:
    """An exact read that is under way: what of whom, and what was committed after its mark."""

    def __init__(
        self, account: int, book: BookKey, edges: Sequence[int], whom: Entity | None
    ) -> None:
        self.account = account
        self.book = book
        self.edges = tuple(edges)
        self.whom = whom
        self.after: list[Cells] | None = None
        """None until the mark is reached."""


class Ledger:
    """Every account's limits. The lock is held for memory work alone, never for a store."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[_Commit | Reading] = deque()
        self._accounts: dict[int, AccountLimits] = {}
        self._readings: list[Reading] = []
        self._stale: set[int] = set()
        self._oldest_us: int | None = None

    def committed(self, account: int, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        """A listener of the event store: O(1), and nothing for an account without limits."""
        if account not in self._accounts:
            return
        self._queue.append(_Commit(account, events, outcomes, self._clock.now_us()))
        if len(self._queue) > _MAX_QUEUED:
            self.catch_up()

    def catch_up(self) -> None:
        """Add what was committed."""
        with self._lock:
            self._drain()

    @contextmanager
    def account(self, number: int) -> Iterator[AccountLimits | None]:
        """An account's limits, up to date with every commit, under the lock; None: it has none."""
        with self._lock:
            self._drain()
            yield self._flush(number)

    def blocked_among(self, account: int, events: Sequence[Event]) -> list[Standing]:
        """Of the entities of some events those that are blocked now, each once."""
        now_us = self._clock.now_us()
        with self._lock:
            self._drain()
            mine = self._accounts.get(account)
            asked = [] if mine is None else mine.in_question(events)
            if mine is None or not asked:
                return []
            self._flush(account)
            found = [mine.decides(entity, now_us) for entity in asked]
        return [each for each in found if each is not None and each.blocks]

    def can_block(self, account: int) -> bool:
        """Whether a limit of the account blocks; asked for every batch, so without the lock."""
        mine = self._accounts.get(account)
        return mine is not None and mine.can_block

    @property
    def accounts(self) -> list[int]:
        """Who has limits."""
        with self._lock:
            return sorted(self._accounts)

    def count(self) -> int:
        """How many limits there are."""
        with self._lock:
            return sum(len(each.limits) for each in self._accounts.values())

    def put(self, limit: Limit) -> None:
        """A limit that is new or changed; its sums are read next."""
        now_us = self._clock.now_us()
        with self._lock:
            self._drain()
            mine = self._flush(limit.account)
            if mine is None:
                # Its first limit: there is nothing that the next sweep would have to read.
                mine = self._accounts[limit.account] = AccountLimits(now_us)
                mine.known = True
            mine.put(limit, now_us)

    def remove(self, account: int, limit_id: str) -> None:
        """A limit that is no more."""
        with self._lock:
            self._drain()
            mine = self._flush(account)
            if mine is not None:
                mine.remove(limit_id)

    def take_over(self, account: int, limits: Sequence[Limit], told: Iterable[AlertKey]) -> None:
        """Exactly these limits and alerts are stored."""
        now_us = self._clock.now_us()
        with self._lock:
            self._drain()
            if not limits and account not in self._accounts:
                return
            self._flush(account)
            mine = self._accounts.setdefault(account, AccountLimits(now_us))
            for gone in mine.limits.keys() - {each.id for each in limits}:
                mine.remove(gone)
            for each in limits:
                if mine.limits.get(each.id) != each:
                    mine.put(each, now_us)
            mine.told = set(told)

    def begin(self, account: int, book: BookKey, whom: Entity | None) -> Reading | None:
        """An exact read of a book's periods; None when no limit needs the book any more."""
        with self._lock:
            mine = self._accounts.get(account)
            if mine is None or book not in mine.books:
                return None
            found = mine.books[book]
            found.advance(self._clock.now_us())
            return Reading(account, book, found.edges, whom)

    def mark(self, reading: Reading) -> None:
        """The place of a read among the commits; called on the event store's writer thread."""
        self._queue.append(reading)

    def settle(self, reading: Reading, rows: Sequence[Row]) -> None:
        """What was read takes the place of what was kept."""
        with self._lock:
            self._drain()
            mine = self._flush(reading.account)
            self._readings.remove(reading)
            assert reading.after is not None
            book = mine.books.get(reading.book) if mine is not None else None
            if mine is None or book is None:
                return
            book.replace(reading.edges, reading.whom, rows)
            for cells in reading.after:
                book.add(replaced(cells, reading.edges, reading.whom))
            mine.forget_rooms()
            mine.dirty.update(row.entity for row in rows if mine.follows(*row.entity))

    def abandon(self, reading: Reading) -> None:
        """A read that failed."""
        with self._lock:
            self._drain()
            if reading in self._readings:
                self._readings.remove(reading)

    def settled(self, account: int) -> None:
        """Every book of the account was read."""
        with self._lock:
            mine = self._accounts.get(account)
            if mine is not None:
                mine.known = True

    def take_stale(self) -> set[int]:
        """The accounts whose stored costs were changed: their sums must be read anew."""
        with self._lock:
            self._drain()
            stale, self._stale = self._stale, set()
            return stale

    def crossings(self) -> list[Crossing]:
        """Look at every entity that was touched: what is to be told."""
        found: list[Crossing] = []
        with self._lock:
            self._drain()
            now_us = self._clock.now_us()
            self._oldest_us = None
            work = []
            for number, mine in self._accounts.items():
                mine.advance(now_us)
                if mine.known and mine.dirty:
                    work += [(number, entity) for entity in mine.dirty]
        for start in range(0, len(work), _LOOKS_AT_ONCE):
            chunk = work[start : start + _LOOKS_AT_ONCE]
            with self._lock:
                self._drain()
                for number in {number for number, _ in chunk}:
                    self._flush(number)
                for number, entity in chunk:
                    self._accounts[number].dirty.discard(entity)
                    found += self._accounts[number].look_at(entity, now_us)
        return found

    def told(self, account: int, keys: Iterable[AlertKey]) -> None:
        """These are stored as told."""
        with self._lock:
            mine = self._accounts.get(account)
            if mine is not None:
                mine.told.update(keys)

    def look_again(self, account: int, entities: Iterable[Entity]) -> None:
        """What was to be told could not be stored."""
        with self._lock:
            mine = self._accounts.get(account)
            if mine is not None:
                mine.dirty.update(entities)

    def lag_seconds(self) -> float:
        """How long the oldest commit waits that no limit has been compared with."""
        with self._lock:
            self._drain()
            oldest_us = self._oldest_us
        if oldest_us is None:
            return 0.0
        return max(0, self._clock.now_us() - oldest_us) / MICROSECONDS_PER_SECOND

    def _drain(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Reading):
                self._flush(item.account)  # what came before the mark is in what is read
                item.after = []
                self._readings.append(item)
                continue
            mine = self._accounts.get(item.account)
            if mine is None:
                continue
            if not item.events:
                self._stale.add(item.account)
                continue
            mine.take(item.events, item.outcomes)
            if self._oldest_us is None:
                self._oldest_us = item.at_us

    def _flush(self, number: int) -> AccountLimits | None:
        """The account with its books up to date. The lock is held and the queue drained."""
        mine = self._accounts.get(number)
        if mine is None:
            return None
        cells = mine.flush(self._clock.now_us())
        for reading in self._readings:
            if reading.account == number and cells:
                assert reading.after is not None
                reading.after.append(cells)
        return mine
