"""The first unpriced model of a day becomes a webhook event: a missing price must not go unseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Engine

from infraprism_server.background import outbox
from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock, iso_utc
from infraprism_server.event_store.contract import Event, EventStore, Outcome
from infraprism_server.event_store.event_columns import values_of
from infraprism_server.http.wire import Instant
from infraprism_server.pricing import store

UNPRICED_EVENT: Final = "pricing.unpriced"
TELL_SECONDS: Final = 1.0


class UnpricedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `pricing.unpriced`: a model without a price, and the event that had it."""

    provider: str
    model: str
    event_id: str
    timestamp: Instant
    day: str
    """Of the server's clock, UTC: the next of its kind comes on another day."""


class UnpricedAlerts:
    """Notes what is committed unpriced and tells once a day and account. Thread-safe."""

    def __init__(self, engine: Engine, events: EventStore, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._told: dict[int, int] = {}
        self._waiting: dict[int, tuple[int, Event]] = {}
        events.listen(self.committed)

    def committed(self, account: int, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        """A listener of the event store; looks at nothing once the day's event is told."""
        day = self._clock.now_us() // MICROSECONDS_PER_DAY
        if self._told.get(account) == day or account in self._waiting:
            return
        (sources,) = values_of(events, "cost_source")
        if "unpriced" not in sources:
            return
        for place, (source, outcome) in enumerate(zip(sources, outcomes, strict=True)):
            if source == "unpriced" and outcome is Outcome.ACCEPTED:
                self._waiting[account] = (day, events[place])
                return

    def tell(self) -> int:
        """Publish what waits, unless that day's was told already; how many were told."""
        told = 0
        for account, (day, event) in list(self._waiting.items()):
            date = iso_utc(day * MICROSECONDS_PER_DAY)[:10]
            data = UnpricedEvent(
                provider=event.provider,
                model=event.model,
                event_id=event.id,
                timestamp=Instant(event.timestamp_us),
                day=date,
            )
            now_us = self._clock.now_us()
            with self._engine.begin() as connection:
                if not store.is_unpriced_told(connection, account, date):
                    store.insert_unpriced_told(connection, account, date, now_us)
                    outbox.publish(connection, account, UNPRICED_EVENT, data, now_us)
                    told += 1
            self._told[account] = day
            del self._waiting[account]
        return told
