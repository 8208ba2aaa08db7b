"""The card an account's call is charged by: its overrides first, then the price book.

Overrides are read twice a second for an account that sends events, so that one added by another
process takes effect within a second; `forget` makes a change of this process immediate.
"""

from __future__ import annotations

import threading
from typing import Final

from sqlalchemy import Engine

from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock
from infraprism_server.pricing import store
from infraprism_server.pricing.calls import Call
from infraprism_server.pricing.overrides import Override, by_precedence, overriding_card
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.providers import normalized
from infraprism_server.pricing.schedule import Priced

MAX_AGE_US: Final = MICROSECONDS_PER_SECOND // 2
_MAX_ACCOUNTS: Final = 10_000
_MAX_CARDS: Final = 8_192


class AccountOverrides:
    """The overrides of one account as of one reading, the winning ones first."""

    __slots__ = ("by_provider", "candidates", "cards", "read_at_us")

    def __init__(self, by_provider: dict[str, list[Override]], read_at_us: int) -> None:
        self.by_provider = by_provider
        self.read_at_us = read_at_us
        self.candidates: dict[tuple[str, str], list[Override]] = {}
        self.cards: dict[tuple[str, str, str, str, str], Priced | None] = {}


class AccountPrices:
    """Cards by account and event. Thread-safe."""

    def __init__(self, engine: Engine, clock: Clock, book: PriceBook) -> None:
        self._engine = engine
        self._clock = clock
        self._book = book
        self._lock = threading.Lock()
        self._generation = 0
        self._accounts: dict[int, AccountOverrides] = {}

    def forget(self, account: int) -> None:
        """The account's overrides were changed here: read them anew for the next event."""
        with self._lock:
            self._generation += 1
            self._accounts.pop(account, None)

    def overrides(self, account: int) -> AccountOverrides:
        """The account's overrides, at most MAX_AGE_US old."""
        now_us = self._clock.now_us()
        known = self._accounts.get(account)
        if known is not None and 0 <= now_us - known.read_at_us < MAX_AGE_US:
            return known
        generation = self._generation
        read = store.all_overrides(self._engine, account)
        if known is not None and _ids(known) == {override.id for override in read}:
            # Overrides are never edited: the same ids are the same overrides, and what was
            # derived from them stays good.
            known.read_at_us = now_us
            return known
        by_provider: dict[str, list[Override]] = {}
        for override in by_precedence(read):
            by_provider.setdefault(self._provider_key(override.provider), []).append(override)
        fresh = AccountOverrides(by_provider, now_us)
        with self._lock:
            # A change committed while we were reading must not be hidden by what we read.
            if generation == self._generation:
                if len(self._accounts) >= _MAX_ACCOUNTS:
                    self._accounts.clear()
                self._accounts[account] = fresh
        return fresh

    def find(self, overrides: AccountOverrides, call: Call, at_us: int) -> Priced | None:
        """The card a call at an instant is charged by, or None: no price is known."""
        if not overrides.by_provider:
            return self._book.find(call.provider, call.model, call.service_tier, at_us)
        override = self._applicable(overrides, call, at_us)
        if override is not None and override.prices is not None:
            return self._overridden(overrides, override, call, None)
        listed = self._book.find(call.provider, call.model, call.service_tier, at_us)
        return listed if override is None else self._overridden(overrides, override, call, listed)

    def _applicable(self, overrides: AccountOverrides, call: Call, at_us: int) -> Override | None:
        key = (call.provider, call.model)
        candidates = overrides.candidates.get(key)
        if candidates is None:
            of_provider = overrides.by_provider.get(self._provider_key(call.provider), [])
            candidates = [one for one in of_provider if one.covers(call.model)]
            if len(overrides.candidates) >= _MAX_CARDS:
                overrides.candidates.clear()
            overrides.candidates[key] = candidates
        return next((one for one in candidates if one.holds_at(at_us)), None)

    def _overridden(
        self,
        overrides: AccountOverrides,
        override: Override,
        call: Call,
        listed: Priced | None,
    ) -> Priced | None:
        base = listed.digest if listed is not None else ""
        key = (override.id, call.provider, call.model, call.service_tier, base)
        if key in overrides.cards:
            return overrides.cards[key]
        card = overriding_card(
            override,
            call.provider,
            call.model,
            call.service_tier,
            listed.card if listed is not None else None,
        )
        if len(overrides.cards) >= _MAX_CARDS:
            overrides.cards.clear()
        priced = None if card is None else Priced(card)
        overrides.cards[key] = priced
        return priced

    def _provider_key(self, provider: str) -> str:
        """One key for all spellings of a provider; its own name where nobody lists it."""
        return self._book.provider_id(provider) or normalized(provider)


def _ids(overrides: AccountOverrides) -> set[str]:
    return {one.id for of_provider in overrides.by_provider.values() for one in of_provider}
