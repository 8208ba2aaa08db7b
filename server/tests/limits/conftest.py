"""Limits over real stores, a clock that stands still, and no thread: each step is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.background import outbox
from infraprism_server.clock import FixedClock, iso_utc
from infraprism_server.events.schemas import BatchAnswer
from infraprism_server.events.service import EventService
from infraprism_server.http.wire import encode
from infraprism_server.ids import new_id
from infraprism_server.limits.ledger import Ledger
from infraprism_server.limits.schemas import ChangeLimit, CreateLimit
from infraprism_server.limits.service import LimitService
from infraprism_server.limits.watch import LimitWatch
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService
from server.tests.stores import open_events


class Setting:
    """The parts of a server that limits need."""

    def __init__(self, folder: Path, engine: Engine, clock: FixedClock) -> None:
        self.engine = engine
        self.clock = clock
        self.store = open_events(folder, engine, clock)
        self.accounts = AccountService(engine, clock)
        self._made = 0
        self.start()

    def start(self) -> None:
        """A process begins: nothing is known in memory."""
        self.ledger = Ledger(self.clock)
        self.watch = LimitWatch(self.engine, self.store, self.clock, self.ledger)
        self.limits = LimitService(self.engine, self.clock, self.accounts, self.ledger, self.watch)
        self.pricing = PricingService(self.engine, self.clock, PriceBook(), self.store)
        self.events = EventService(self.store, self.pricing, self.accounts, self.clock, self.limits)
        self.watch.sweep()

    def account(self) -> int:
        self._made += 1
        new = NewAccount(email=f"l{self._made}@acme.example", name="A")
        return self.accounts.create(new).number

    def limit(self, account: int, **fields: object) -> str:
        """Make a limit; its id. A dollar a day for acme unless said otherwise."""
        wanted: dict[str, object] = {
            "entity_type": "customer",
            "entity_id": "acme",
            "metric": "cost_usd",
            "amount": 1,
            "period": "day",
        }
        body = self.limits.create(account, read(wanted | fields, CreateLimit), None)
        limit_id: str = msgspec.json.decode(body)["id"]
        return limit_id

    def change(self, account: int, limit_id: str, **fields: object) -> dict[str, object]:
        return plain(self.limits.change(account, limit_id, read(fields, ChangeLimit)))

    def get(self, account: int, limit_id: str) -> dict[str, object]:
        return plain(self.limits.get(account, limit_id))

    def status(self, account: int, entity_id: str = "acme") -> dict[str, object]:
        return plain(self.limits.status(account, "customer", entity_id))

    def post(
        self, account: int, *costs: float, entity_id: str = "acme", hours: float = 0, **more: object
    ) -> BatchAnswer:
        """Post calls of these costs, made that many hours from now."""
        at_us = self.clock.now_us() + int(hours * 3_600_000_000)
        calls = [
            {
                "id": new_id("evt"),
                "timestamp": iso_utc(at_us),
                "provider": "openai",
                "model": "gpt-4o",
                "entity_type": "customer",
                "entity_id": entity_id,
                "cost_usd": cost,
                **more,
            }
            for cost in costs
        ]
        pending = self.events.take(account, msgspec.json.encode({"events": calls}), None)
        answer = pending.answer(pending.stored.result(10))
        assert answer.accepted == len(costs), answer
        return answer

    def told(self) -> list[tuple[str, dict[str, object]]]:
        """What is told from now on, in order; it is taken."""
        self.watch.ring()
        with self.engine.begin() as connection:
            messages = outbox.take(connection, 1_000)
        return [(each.type, msgspec.json.decode(each.data)) for each in messages]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told()]

    def later(self, **delta: float) -> None:
        self.clock.advance(timedelta(**delta))


def read(fields: dict[str, object], kind: type) -> msgspec.Struct:
    """What a client sent, as the service gets it."""
    text = encode(fields)
    return msgspec.json.decode(text, type=kind)


def plain(value: msgspec.Struct) -> dict[str, object]:
    """An answer as its reader has it."""
    decoded: dict[str, object] = msgspec.json.decode(encode(value))
    return decoded


@pytest.fixture
def setting(data_dir: Path, engine: Engine, clock: FixedClock) -> Iterator[Setting]:
    made = Setting(data_dir, engine, clock)
    yield made
    made.store.close(10)
