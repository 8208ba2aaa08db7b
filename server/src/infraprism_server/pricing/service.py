"""Pricing: what events cost and why, the account's own prices, repricing. Orders the steps only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.clock import Clock, to_us
from infraprism_server.errors import Conflict, InfraPrismError, InvalidRequest, NotFound
from infraprism_server.event_store.contract import Event, EventStore, UnpricedModel
from infraprism_server.http.fields import check_entity_id, check_printable
from infraprism_server.http.idempotency import IdempotentRequest, answer_once
from infraprism_server.http.pagination import page_of
from infraprism_server.http.wire import Instant, encode, instant
from infraprism_server.pricing import answers, store
from infraprism_server.pricing.account_prices import AccountOverrides, AccountPrices
from infraprism_server.pricing.calls import (
    Call,
    Calls,
    FlatRow,
    ModelAndTier,
    Numbers,
    Quotes,
    quotes_by_list,
)
from infraprism_server.pricing.overrides import (
    MAX_PER_ACCOUNT,
    Override,
    check_shape,
    checked_discount,
    checked_prices,
)
from infraprism_server.pricing.price_book import ListedModel, PriceBook
from infraprism_server.pricing.rate_card import NotPriceable, cost_lines
from infraprism_server.pricing.repricing import (
    KIND,
    RepricingJob,
    RepricingProgress,
    Tally,
)
from infraprism_server.pricing.schedule import Priced
from infraprism_server.pricing.schemas import (
    CostExplanationOut,
    PriceOut,
    PriceOverrideIn,
    PriceOverrideList,
    PriceOverrideOut,
    RepricingIn,
    RepricingOut,
    UnpricedModelList,
)

_MAX_KNOWN_RATES: Final = 50_000


class Quote(NamedTuple):
    """A price for a call: None where it is not known. No row where nothing was charged."""

    cost_pico: int | None
    rate_id: int | None


_Quoted = tuple[int | None, int | None]
"""The same without names: in a batch, giving them would take as long as finding the price."""

_UNKNOWN: Final[_Quoted] = (None, None)
_NOTHING: Final[_Quoted] = (0, None)


class PricingService:
    """What can be done with prices. Thread-safe.

    Without `events` (the CLI beside a running server) nothing that reads events works.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        book: PriceBook,
        events: EventStore | None = None,
        jobs: JobQueue | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._book = book
        self._events = events
        self._jobs = jobs or JobQueue(engine, clock)
        self._prices = AccountPrices(engine, clock, book)
        self._rate_ids: dict[str, int] = {}
        self._rate_lock = threading.Lock()

    @property
    def events(self) -> EventStore:
        """The event store. RuntimeError in a service that was made without one."""
        if self._events is None:
            raise RuntimeError("this service was made without an event store")
        return self._events

    def price(self, account: int, event: Event) -> Event:
        """The event with its cost filled in. A reported cost stays the cost."""
        return self._priced(self._prices.overrides(account), event)

    def quotes(self, account: int, calls: Calls) -> Quotes:
        """What calls of the account cost; the rates that are new are stored before."""
        overrides = self._prices.overrides(account)

        def quote(place: int) -> _Quoted:
            return self._quote(overrides, calls.each[place], int(calls.at_us[place]))

        if overrides.by_provider or calls.columns is None:
            return Quotes.of(list(map(quote, range(len(calls.each)))))
        rates = self._flat_rates(calls.columns.names.values, calls.at_us)
        return quotes_by_list(calls.columns, rates, quote)

    def quote(self, account: int, event: Event) -> Quote:
        """What the event would cost now, whatever it is stored with."""
        return Quote(*self._quote(self._prices.overrides(account), event, event.timestamp_us))

    def explain(self, event: Event, account: int | None = None) -> CostExplanationOut:
        """How a stored event's cost came about, from the rates it was charged by.

        With `account`, an unpriced event is told why by the account's own prices too.
        """
        if event.rate_id is None:
            return answers.explanation_out(event, None, [], self._reason(account, event))
        card = store.find_card(self._engine, event.rate_id)
        lines = NotPriceable("the rates are gone") if card is None else cost_lines(card, event)
        computed_pico = event.cost_pico if event.cost_source == "computed" else None
        if event.cost_source == "reported":
            computed_pico = event.computed_cost_pico
        if (
            isinstance(lines, NotPriceable)
            or sum(line.cost_pico for line in lines) != computed_pico
        ):
            raise InfraPrismError("The rates of this event do not add up to its cost")
        return answers.explanation_out(event, card, lines, None)

    def list_overrides(self, account: int, limit: int, offset: int) -> PriceOverrideList:
        """The account's overrides, newest first."""
        found, total = store.override_page(self._engine, account, limit, offset)
        page = page_of(total, limit, offset, len(found))
        return PriceOverrideList([answers.override_out(override) for override in found], page)

    def create_override(self, account: int, wanted: PriceOverrideIn) -> PriceOverrideOut:
        """Add an override. InvalidRequest when its parts do not go together."""
        override = self._checked_override(account, wanted)
        with self._engine.begin() as connection:
            store.add_override(connection, account, override)
        self._prices.forget(account)
        return answers.override_out(override)

    def create_override_once(
        self, account: int, wanted: PriceOverrideIn, idempotent: IdempotentRequest | None
    ) -> bytes:
        """`create_override` for the API: the answer's body, the same one for a replay."""
        override = self._checked_override(account, wanted)

        def create(connection: Connection) -> tuple[str, bytes]:
            store.add_override(connection, account, override)
            return override.id, encode(answers.override_out(override))

        body = answer_once(self._engine, account, idempotent, override.created_at_us, create)
        self._prices.forget(account)
        return body

    def _checked_override(self, account: int, wanted: PriceOverrideIn) -> Override:
        for field in ("provider", "model", "note"):
            check_printable(getattr(wanted, field), field)
        prices = checked_prices(answers.given_prices(wanted))
        discount = checked_discount(wanted.discount_percent)
        check_shape(wanted.match, wanted.model, prices, discount)
        start_us = None if wanted.effective_from is None else to_us(wanted.effective_from)
        end_us = None if wanted.effective_to is None else to_us(wanted.effective_to)
        if start_us is not None and end_us is not None and start_us >= end_us:
            raise InvalidRequest("'effective_to' is not after 'effective_from'", "effective_to")
        if store.override_page(self._engine, account, 1, 0)[1] >= MAX_PER_ACCOUNT:
            raise Conflict(f"An account has at most {MAX_PER_ACCOUNT:,} prices of its own")
        return Override(
            id=ids.new_id(ids.PRICE),
            provider=wanted.provider,
            match=wanted.match,
            model=wanted.model,
            prices=prices,
            discount_percent=discount,
            effective_from_us=start_us,
            effective_to_us=end_us,
            note=wanted.note,
            created_at_us=self._clock.now_us(),
        )

    def delete_override(self, account: int, override_id: str) -> None:
        """Remove an override; events that were charged by it keep their cost. NotFound."""
        if not store.remove_override(self._engine, account, override_id):
            raise NotFound("There is no price with this id")
        self._prices.forget(account)

    def lookup(
        self, account: int, provider: str, model: str, service_tier: str, at_us: int | None = None
    ) -> PriceOut:
        """The prices a call of the account would be charged by. NotFound when none is known."""
        moment = self._clock.now_us() if at_us is None else at_us
        call = Event(
            id="", timestamp_us=moment, provider=provider, model=model, service_tier=service_tier
        )
        priced = self._prices.find(self._prices.overrides(account), call, moment)
        if priced is None:
            raise NotFound("No price is known for this provider, model, tier and time")
        return answers.price_out(priced.card)

    def list_prices(self, provider: str | None = None) -> list[ListedModel]:
        """The models that the price data lists."""
        return list(self._book.models(provider))

    def unpriced_models(self, account: int) -> list[UnpricedModel]:
        """Models with unpriced events, most events first."""
        return self.events.list_unpriced(account)

    def list_unpriced(self, account: int, limit: int = 100, offset: int = 0) -> UnpricedModelList:
        """One page of the models with unpriced events, most events first."""
        found = self.unpriced_models(account)
        shown = found[offset : offset + limit]
        page = page_of(len(found), limit, offset, len(shown))
        return UnpricedModelList([answers.unpriced_out(model) for model in shown], page)

    def start_repricing(
        self, account: int, wanted: RepricingIn, start_us: int | None, end_us: int | None
    ) -> RepricingOut:
        """Queue a repricing; `start_us` and `end_us` are what its dates mean to the account."""
        body = _checked_repricing(wanted, start_us, end_us)
        return _repricing_out(self._jobs.insert(KIND, account, body, prefix=ids.REPRICING))

    def start_repricing_once(
        self,
        account: int,
        wanted: RepricingIn,
        start_us: int | None,
        end_us: int | None,
        idempotent: IdempotentRequest | None,
    ) -> bytes:
        """`start_repricing` for the API: the answer's body, the same one for a replay."""
        body = _checked_repricing(wanted, start_us, end_us)

        def create(connection: Connection) -> tuple[str, bytes]:
            job = self._jobs.insert_with(connection, KIND, account, body, prefix=ids.REPRICING)
            return job.id, encode(_repricing_out(job))

        return answer_once(self._engine, account, idempotent, self._clock.now_us(), create)

    def apply_dry_run(self, account: int, repricing_id: str) -> RepricingOut:
        """Queue for real what a dry run showed. NotFound; Conflict when it was no dry run."""
        wanted = self.wanted_of(account, repricing_id)
        if not wanted.dry_run:
            raise Conflict("This repricing was no dry run: its costs are changed already")
        body = msgspec.structs.replace(wanted, dry_run=False)
        return _repricing_out(self._jobs.insert(KIND, account, body, prefix=ids.REPRICING))

    def wanted_of(self, account: int, repricing_id: str) -> RepricingJob:
        """Which events a repricing is about. NotFound."""
        job = self._jobs.get(account, KIND, repricing_id)
        return msgspec.json.decode(job.input, type=RepricingJob)

    def get_repricing(self, account: int, repricing_id: str) -> RepricingOut:
        """A repricing of the account. NotFound."""
        return _repricing_out(self._jobs.get(account, KIND, repricing_id))

    def _flat_rates(
        self, names: Sequence[ModelAndTier], at_us: Sequence[int] | Numbers
    ) -> dict[ModelAndTier, FlatRow]:
        """The flat rates of the list that hold at all of these instants, where there are such."""
        first_us, last_us = int(np.min(at_us)), int(np.max(at_us))
        found: dict[ModelAndTier, FlatRow] = {}
        for name in names:
            schedule = self._book.find_schedule(*name)
            priced = None if schedule is None else schedule.throughout(first_us, last_us)
            if priced is not None and priced.flat is not None:
                found[name] = (priced.flat, self._rate_id(priced))
        return found

    def _priced(self, overrides: AccountOverrides, event: Event) -> Event:
        cost_pico, rate_id = self._quote(overrides, event, event.timestamp_us)
        if event.cost_source == "reported":
            return msgspec.structs.replace(event, computed_cost_pico=cost_pico, rate_id=rate_id)
        return msgspec.structs.replace(
            event,
            cost_pico=cost_pico or 0,
            cost_source="unpriced" if cost_pico is None else "computed",
            computed_cost_pico=None,
            rate_id=rate_id,
        )

    def _quote(self, overrides: AccountOverrides, call: Call, at_us: int) -> _Quoted:
        if not call.input_tokens and not call.output_tokens:
            if call.success:
                return _UNKNOWN
            if not call.web_search_requests:
                return _NOTHING
        priced = self._prices.find(overrides, call, at_us)
        cost_pico = priced.total_pico(call) if priced is not None else None
        if priced is None or cost_pico is None:
            return _UNKNOWN
        return cost_pico, self._rate_id(priced)

    def _rate_id(self, priced: Priced) -> int:
        return self._rate_ids.get(priced.digest) or self._keep(priced)

    def _keep(self, priced: Priced) -> int:
        """The row of a card, stored now if it is new: before any event that points to it."""
        with self._rate_lock:
            known = self._rate_ids.get(priced.digest)
            if known is None:
                now_us = self._clock.now_us()
                known = store.keep_card(self._engine, priced.card, priced.digest, now_us)
                if len(self._rate_ids) >= _MAX_KNOWN_RATES:
                    self._rate_ids.clear()
                self._rate_ids[priced.digest] = known
        return known

    def _reason(self, account: int | None, event: Event) -> str | None:
        if event.cost_source != "unpriced":
            return None
        if event.success and not event.input_tokens and not event.output_tokens:
            return "a successful call was reported with neither tokens nor a cost"
        overrides = AccountOverrides({}, 0) if account is None else self._prices.overrides(account)
        priced = self._prices.find(overrides, event, event.timestamp_us)
        if priced is None:
            return "no price is known for this provider, model and tier at that time"
        found = cost_lines(priced.card, event)
        if isinstance(found, NotPriceable):
            return found.reason
        return "a price is known since: a repricing gives this event its cost"


def _repricing_out(job: Job) -> RepricingOut:
    wanted = msgspec.json.decode(job.input, type=RepricingJob)
    progress = msgspec.json.decode(job.progress, type=RepricingProgress)
    result = None if job.result is None else msgspec.json.decode(job.result, type=Tally)
    return RepricingOut(
        id=job.id,
        status=job.status,
        dry_run=wanted.dry_run,
        only=wanted.only,
        events_done=progress.done,
        events_total=progress.total,
        created_at=Instant(job.created_at_us),
        finished_at=instant(job.finished_at_us),
        error=job.error if job.status == "failed" else None,
        result=None if result is None else answers.repricing_result_out(result),
    )


def _checked_repricing(
    wanted: RepricingIn, start_us: int | None, end_us: int | None
) -> RepricingJob:
    for field in ("provider", "model"):
        check_printable(getattr(wanted, field), field)
    check_entity_id(wanted.entity_id)
    return RepricingJob(
        dry_run=wanted.dry_run,
        only=wanted.only,
        start_us=start_us,
        end_us=end_us,
        provider=wanted.provider,
        model=wanted.model,
        entity_type=wanted.entity_type,
        entity_id=wanted.entity_id,
    )
