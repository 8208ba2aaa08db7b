"""Events: take a batch in, list, find and explain. Orders the steps; the rules are in intake.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from infraprism_server import ids
from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import Clock
from infraprism_server.errors import Conflict, InfraPrismError, NotFound
from infraprism_server.event_store.contract import (
    Event,
    EventFilter,
    EventPage,
    EventStore,
    Outcome,
    Position,
)
from infraprism_server.events.intake import (
    AcceptedTimes,
    Quoting,
    accepted_times,
    decode_batch,
    event_from,
)
from infraprism_server.events.schemas import BatchAnswer, FilterQuery, Rejected
from infraprism_server.events.whole_batch import events_at_once
from infraprism_server.http.error_body import ErrorDetail, error_detail
from infraprism_server.http.fields import check_entity_id, check_printable
from infraprism_server.http.time_range import parse_range, zone_named
from infraprism_server.limits.schemas import Blocked
from infraprism_server.limits.service import LimitService
from infraprism_server.pricing.service import PricingService

_FEW_BYTES: Final = 4_000
"""About ten events: up to there each by itself is quicker than columns of them."""


class PendingBatch:
    """A batch that was handed to the store: `stored` is done when it is durable."""

    def __init__(
        self,
        stored: Future[list[Outcome]],
        places: Sequence[int],
        rejected: list[Rejected],
        blocked: Callable[[], list[Blocked]],
    ) -> None:
        self.stored = stored
        self._blocked = blocked
        self._places = places
        self._rejected = rejected

    def answer(self, outcomes: list[Outcome]) -> BatchAnswer:
        """What became of the batch, once `stored` is done."""
        rejected = list(self._rejected)
        for index, outcome in zip(self._places, outcomes, strict=True):
            if outcome is Outcome.CONFLICT:
                rejected.append(Rejected(index, _conflict(index)))
        rejected.sort(key=lambda entry: entry.index)
        return BatchAnswer(
            accepted=outcomes.count(Outcome.ACCEPTED),
            duplicates=outcomes.count(Outcome.DUPLICATE),
            rejected=rejected,
            blocked=self._blocked(),
        )


def _conflict(index: int) -> ErrorDetail:
    error = Conflict("This id is stored with other content; the first stays", f"events[{index}].id")
    return error_detail(error)


class EventService:
    """What can be done with events. Every method says whose they are."""

    def __init__(
        self,
        store: EventStore,
        pricing: PricingService,
        accounts: AccountService,
        clock: Clock,
        limits: LimitService | None = None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._pricing = pricing
        self._accounts = accounts
        self._clock = clock

    def take(self, account: int, body: bytes, idempotency_key: str | None) -> PendingBatch:
        """Decode, check, price and hand over a batch.

        Raises InvalidRequest when the body is not a batch, Unavailable when too much is waiting.
        With an idempotency key, events without an id get one from (key, index).
        """
        now_us = self._clock.now_us()
        times = accepted_times(now_us, self._accounts.get(account).retention_days)
        quotes = partial(self._pricing.quotes, account)
        made_id = partial(_made_id, idempotency_key)
        rejected: list[Rejected] = []
        events: Sequence[Event] | None = None
        if len(body) > _FEW_BYTES:
            events = events_at_once(body, made_id, times, quotes)
        if events is not None:
            places: Sequence[int] = range(len(events))
        else:
            events, places, rejected = _each_by_itself(body, made_id, times, quotes)
        if not events:
            stored: Future[list[Outcome]] = Future()
            stored.set_result([])
        else:
            stored = self._store.append(account, events)
        limits = self._limits
        return PendingBatch(
            stored,
            places,
            rejected,
            lambda: [] if limits is None else limits.blocked_among(account, events),
        )

    def where(self, account: int, query: FilterQuery) -> EventFilter:
        """The filter a query means. InvalidRequest for dates and zones that are not."""
        for field in ("model", "provider", "session_id"):
            check_printable(getattr(query, field), field)
        check_entity_id(query.entity_id)
        for key, value in query.tags.items():
            check_printable(key, f"tags[{key}]")
            check_printable(value, f"tags[{key}]")
        zone = zone_named(query.timezone or self._accounts.get(account).timezone)
        span = parse_range(query.start_date, query.end_date, zone)
        return EventFilter(
            account=account,
            start_us=span.start_us,
            end_us=span.end_us,
            entity_type=query.entity_type,
            entity_id=query.entity_id,
            model=query.model,
            provider=query.provider,
            session_id=query.session_id,
            success=query.success,
            tags=tuple(sorted(query.tags.items())),
        )

    def page(
        self, where: EventFilter, limit: int, offset: int, after: Position | None
    ) -> EventPage:
        """Newest first."""
        return self._store.list_events(where, limit=limit, offset=offset, after=after)

    def find_extent(self, account: int) -> tuple[int, int] | None:
        """The timestamps of the account's oldest and newest event; None when it has none."""
        return self._store.find_extent(account)

    def get(self, account: int, event_id: str) -> Event:
        """The event, or NotFound."""
        event = self._store.find_event(account, event_id)
        if event is None:
            raise NotFound("There is no event with this id")
        return event


def _each_by_itself(
    body: bytes, made_id: Callable[[int], str], times: AcceptedTimes, quotes: Quoting
) -> tuple[list[Event], list[int], list[Rejected]]:
    """The good events, their places in the batch, and what is wrong with the others."""
    events: list[Event] = []
    places: list[int] = []
    rejected: list[Rejected] = []
    for index, sent in enumerate(decode_batch(body)):
        if isinstance(sent, InfraPrismError):
            rejected.append(Rejected(index, error_detail(sent)))
            continue
        try:
            events.append(event_from(sent, sent.id or made_id(index), times, quotes))
            places.append(index)
        except InfraPrismError as error:
            param = f"events[{index}].{error.param}" if error.param else f"events[{index}]"
            rejected.append(Rejected(index, ErrorDetail(error.code, error.message, param)))
    return events, places, rejected


def _made_id(idempotency_key: str | None, index: int) -> str:
    if idempotency_key is None:
        return ids.new_id(ids.EVENT)
    # Not the timestamp: a retry that corrects it must still be recognised as the same event.
    return ids.derived_event_id(0, "idempotency-key", idempotency_key, str(index))
