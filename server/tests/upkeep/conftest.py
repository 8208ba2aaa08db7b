"""A whole server that does not listen, over a folder, with a clock that can be set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from sqlalchemy import Engine

from infraprism_server.accounts.account import Account
from infraprism_server.accounts.service import AccountChanges, NewAccount
from infraprism_server.app import compose
from infraprism_server.application import Application
from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.clock import MICROSECONDS_PER_DAY, FixedClock
from infraprism_server.control_store.start import start_control_store
from infraprism_server.event_store.contract import Event, EventFilter, EventStore
from infraprism_server.ids import derived_event_id
from infraprism_server.settings import Settings
from server.tests.stores import open_events

_Result = TypeVar("_Result", bound=msgspec.Struct)


@dataclass
class House:
    """Ann and Bob, and what an operator can do for them."""

    folder: Path
    clock: FixedClock
    engine: Engine
    store: EventStore
    application: Application
    ann: Account
    bob: Account

    @property
    def jobs(self) -> JobQueue:
        return JobQueue(self.engine, self.clock)

    def call(self, account: Account, days_ago: float, **fields: object) -> Event:
        """A stored call of some days ago."""
        at_us = self.clock.now_us() - int(days_ago * MICROSECONDS_PER_DAY)
        given: dict[str, object] = {
            "id": derived_event_id(at_us, repr(fields)),
            "timestamp_us": at_us,
            "provider": "openai",
            "model": "gpt-4o",
            "cost_pico": 5,
            "cost_source": "computed",
            "entity_type": "customer",
            "entity_id": "acme",
        }
        event = Event(**(given | fields))  # type: ignore[arg-type]
        self.store.append(account.number, [event]).result(10)
        return event

    def events(self, account: Account) -> list[Event]:
        return self.store.scan_events(EventFilter(account=account.number), limit=1_000)

    def keep(self, account: Account, days: int | None) -> None:
        self.application.accounts.update(account.number, AccountChanges(retention_days=days))

    def do(self, kind: str, wanted: msgspec.Struct, result: type[_Result]) -> _Result:
        """Queue a job, do it, and answer its result."""
        job = self.jobs.insert(kind, None, wanted)
        done = self.done(job)
        assert done.result is not None, done.error
        return msgspec.json.decode(done.result, type=result)

    def done(self, job: Job) -> Job:
        self.application.upkeep.run_due()
        return self.jobs.get(job.account, job.kind, job.id)

    def stored_bytes(self) -> bytes:
        """Every byte of the control store, its log included."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("control.db*")))


@pytest.fixture
def open_house():
    """Opens one over a folder that may have been used before."""
    return _open_house


@contextmanager
def _open_house(folder: Path, clock: FixedClock) -> Iterator[House]:
    settings = Settings(data_dir=folder, retention_seconds=0.1)
    engine = start_control_store(folder, None, clock.now_us(), holds_folder=True)
    store = open_events(folder, engine, clock)
    application = compose(settings, engine, store, clock, "http://127.0.0.1:1")
    accounts = {}
    for name in ("ann", "bob"):
        found = [
            each
            for each in application.accounts.page(limit=10)[0]
            if each.email == f"{name}@example.com"
        ]
        new = NewAccount(email=f"{name}@example.com", name=name.title(), company=f"{name} Corp")
        accounts[name] = found[0] if found else application.accounts.create(new)
    yield House(folder, clock, engine, store, application, accounts["ann"], accounts["bob"])
    application.close(5)
    engine.dispose()


@pytest.fixture
def house(data_dir: Path, new_folder: Path, clock: FixedClock) -> Iterator[House]:
    shutil.copytree(new_folder, data_dir)
    with _open_house(data_dir, clock) as opened:
        yield opened
