"""The steps of watching limits: read sums, compare, tell. What is told is told once.

An alert is a row whose key says all that makes it the same alert, written in the transaction that
publishes it. So it does not matter how often, or by how many processes, a limit is looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine

from infraprism_server.background import outbox
from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock
from infraprism_server.event_store.contract import EventStore
from infraprism_server.limits import store
from infraprism_server.limits.account_limits import AlertKey, Crossing
from infraprism_server.limits.answers import event_of
from infraprism_server.limits.ledger import Ledger
from infraprism_server.limits.limit import EACH, REACHED, Entity
from infraprism_server.limits.measures import LimitMeasures
from infraprism_server.limits.reading import read
from infraprism_server.limits.tally import BookKey

REACHED_EVENT: Final = "limit.reached"
APPROACHING_EVENT: Final = "limit.approaching"
TOLD_FOR_US: Final = 40 * MICROSECONDS_PER_DAY
"""A month, and the two days in which one that is over still rings: older alerts can not recur."""
_READ_SINGLY: Final = 3
"""Up to so many entities are read one by one; for more, one read of all is cheaper."""
_PER_TRANSACTION: Final = 200


class LimitWatch:
    """Keeps the ledger true to both stores and tells what it shows. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        events: EventStore,
        clock: Clock,
        ledger: Ledger,
        measures: LimitMeasures | None = None,
    ) -> None:
        self._engine = engine
        self._events = events
        self._clock = clock
        self._ledger = ledger
        self._measures = measures
        self._reads = threading.Lock()
        self.loaded = threading.Event()
        """Set once every limit and its sums are known."""
        events.listen(ledger.committed)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While limits are changed no sweep reads: it would take over what is outdated."""
        with self._reads:
            yield

    def sweep(self, only: Iterable[int] | None = None) -> None:
        """Take over the limits that are stored, and read all sums anew: exact whatever happened."""
        with self._reads:
            self._take_over_limits()
        accounts = self._ledger.accounts if only is None else sorted(only)
        for account in accounts:
            with self._ledger.account(account) as mine:
                wanted = (
                    [] if mine is None else [(key, b.followed) for key, b in mine.books.items()]
                )
            for key, followed in wanted:
                for whom in _in_parts(followed):
                    with self._reads:
                        self.read(account, key, whom)
            self._ledger.settled(account)
        if only is None:
            self.loaded.set()

    def read(self, account: int, book: BookKey, whom: Entity | None) -> None:
        """Read exact sums of a book. The caller holds `changing`, or is the sweep."""
        reading = self._ledger.begin(account, book, whom)
        if reading is None:
            return
        try:
            rows = read(
                self._events, account, reading.edges, whom, lambda: self._ledger.mark(reading)
            )
        except BaseException:
            self._ledger.abandon(reading)
            raise
        self._ledger.settle(reading, rows)

    def ring(self) -> int:
        """Compare what was touched with its limits, and tell what is new; how many were told."""
        crossings = self._ledger.crossings()
        told = 0
        for start in range(0, len(crossings), _PER_TRANSACTION):
            chunk = crossings[start : start + _PER_TRANSACTION]
            try:
                new = self._tell(chunk)
            except BaseException:
                for each in crossings[start:]:
                    entity = Entity(each.limit.entity_type, each.key.entity_id)
                    self._ledger.look_again(each.limit.account, [entity])
                raise
            for each in chunk:
                self._ledger.told(each.limit.account, [each.key])
            if self._measures is not None:
                for each in new:
                    self._measures.sent(_kind(each.key))
            told += len(new)
        return told

    def purge(self) -> int:
        """Forget what was told of periods that are long over."""
        with self._engine.begin() as connection:
            return store.purge_told(connection, self._clock.now_us() - TOLD_FOR_US)

    def _take_over_limits(self) -> None:
        since_us = self._clock.now_us() - TOLD_FOR_US
        with self._engine.connect() as connection:
            stored = store.select_all(connection)
            accounts = stored.keys() | set(self._ledger.accounts)
            told = {each: store.select_told(connection, each, since_us) for each in accounts}
        for account in sorted(accounts):
            self._ledger.take_over(account, stored.get(account, []), told[account])

    def _tell(self, crossings: Sequence[Crossing]) -> list[Crossing]:
        # Read without the write lock first: after a restart everything was told already.
        with self._engine.connect() as connection:
            if not self._untold(connection, crossings):
                return []
        with self._engine.begin() as connection:
            now_us = self._clock.now_us()
            new = self._untold(connection, crossings)
            for each in new:
                account = each.limit.account
                store.insert_told(connection, account, each.key, now_us)
                outbox.publish(connection, account, _kind(each.key), event_of(each), now_us)
        return new

    def _untold(self, connection: Connection, crossings: Sequence[Crossing]) -> list[Crossing]:
        """Those whose limit is still the one that was crossed, and which nobody told of."""
        stored = store.stored(connection, [each.limit.id for each in crossings])
        return [
            each
            for each in crossings
            if stored.get(each.limit.id) == each.limit and not store.is_told(connection, each.key)
        ]


def _kind(key: AlertKey) -> str:
    return REACHED_EVENT if key.threshold == REACHED else APPROACHING_EVENT


def _in_parts(followed: Sequence[Entity]) -> list[Entity | None]:
    """The reads that cover everybody the limits name."""
    if len(followed) <= _READ_SINGLY and all(each.id != EACH for each in followed):
        return list(followed)
    return [None]
