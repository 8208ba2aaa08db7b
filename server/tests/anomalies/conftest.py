"""Anomalies over real stores, with a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, select

from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies.schemas import AnomalyOut, ListAnomaliesQuery
from infraprism_server.anomalies.service import AnomalyService
from infraprism_server.anomalies.watch import Watch
from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import MICROSECONDS_PER_HOUR as HOUR
from infraprism_server.clock import FixedClock
from infraprism_server.control_store.tables import outbox
from infraprism_server.event_store.contract import Event, EventStore
from infraprism_server.ids import new_id
from infraprism_server.money import PICO_PER_DOLLAR
from server.tests.stores import open_events

DOLLAR = PICO_PER_DOLLAR


@dataclass
class House:
    """Ann's anomalies and what they stand on."""

    account: int
    other: int
    engine: Engine
    clock: FixedClock
    store: EventStore
    jobs: JobQueue
    accounts: AccountService
    service: AnomalyService
    watch: Watch
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def hour(self) -> int:
        """The open hour."""
        return self.clock.now_us() // HOUR

    def spend(self, hours: dict[int, int], entity: str = "acme", **fields: Any) -> None:
        """Pico-dollars by hour, one call each."""
        events = [
            Event(
                id=new_id("evt"),
                timestamp_us=hour * HOUR + 1_000_000 + next(self.numbers),
                provider="openai",
                cost_pico=pico,
                cost_source="reported",
                entity_type="customer",
                entity_id=entity,
                **({"model": "gpt-4o"} | fields),
            )
            for hour, pico in hours.items()
        ]
        self.store.append(self.account, events).result()

    def habit(self, entity: str = "acme", days: int = 35, pico: int = DOLLAR) -> None:
        """The same every hour, up to the open one, give or take a little."""
        hours = range(self.hour - 24 * days, self.hour)
        self.spend({hour: pico + hour % 5 * pico // 50 for hour in hours}, entity)

    def next_hour(self, hours: int = 1) -> None:
        """So many hours close, one after the other, and each is judged."""
        for _ in range(hours):
            self.clock.advance(timedelta(hours=1))
            self.watch.run(self.account)

    def quiet(self, hours: int) -> None:
        """So many ordinary hours close, and are judged together."""
        self.spend(dict.fromkeys(range(self.hour, self.hour + hours), DOLLAR))
        self.clock.advance(timedelta(hours=hours))
        self.watch.run(self.account)

    def found(self, **query: Any) -> list[AnomalyOut]:
        return self.service.page(self.account, ListAnomaliesQuery(**query)).data

    def told(self) -> list[dict[str, Any]]:
        """What webhooks would be sent."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(outbox).order_by(outbox.c.id)).mappings().all()
        assert all(row["type"] == "anomaly.detected" for row in rows)
        return [msgspec.json.decode(row["data"]) for row in rows]


@pytest.fixture
def house(engine, cast, clock, data_dir) -> Iterator[House]:
    store = open_events(data_dir, engine, clock)
    jobs = JobQueue(engine, clock)
    service = AnomalyService(
        engine, clock=clock, accounts=cast.accounts, event_store=store, jobs=jobs
    )
    yield House(
        account=cast.ann.number,
        other=cast.bob.number,
        engine=engine,
        clock=clock,
        store=store,
        jobs=jobs,
        accounts=cast.accounts,
        service=service,
        watch=Watch(engine, store, cast.accounts, clock),
    )
    store.close(5)
