"""Exports over real stores, with the jobs that make them run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.worker import Worker
from infraprism_server.clock import MICROSECONDS_PER_SECOND, FixedClock
from infraprism_server.event_store.contract import Event, EventStore
from infraprism_server.events.service import EventService
from infraprism_server.exports.files import ExportFiles, ExportFolder
from infraprism_server.exports.link import PURPOSE, signed_path
from infraprism_server.exports.schemas import CreateExport, ExportOut
from infraprism_server.exports.service import ExportService
from infraprism_server.exports.tasks import export_tasks
from infraprism_server.ids import derived_event_id
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService
from infraprism_server.secret_box import SecretBox
from server.tests.stores import open_events

SECRET = "k" * 32
ADDRESS = "http://127.0.0.1:8080"


@dataclass
class House:
    """Ann's exports and what they stand on."""

    account: int
    other: int
    engine: Engine
    clock: FixedClock
    store: EventStore
    jobs: JobQueue
    service: ExportService
    make: Callable[..., ExportService]
    folder: Path

    def bound_workbooks(self, rows: int) -> None:
        """From now on a workbook holds no more than so many rows."""
        self.service = self.make(max_workbook_rows=rows)

    def bound_small_work(self, work: int) -> None:
        """From now on an export of more work than that is a large one."""
        self.service = self.make(small_work=work)

    def worker(self) -> Worker:
        return Worker(self.jobs, export_tasks(self.service))

    def ask(self, file_format: str = "csv", account: int | None = None, **fields: Any) -> str:
        """A queued export's id; Ann's, unless another account is given."""
        given: dict[str, Any] = {"start_date": "2026-03-01", "end_date": "2026-03-31"}
        new = CreateExport(**(given | fields), format=file_format)  # type: ignore[arg-type]
        body = self.service.create(account or self.account, new, ADDRESS, None)
        export_id: str = msgspec.json.decode(body)["id"]
        return export_id

    def made(self, file_format: str = "csv", **fields: Any) -> ExportOut:
        """A finished export."""
        export_id = self.ask(file_format, **fields)
        self.worker().run_due()
        return self.service.get(self.account, export_id)

    def file(self, export: ExportOut) -> Path:
        """What its link leads to."""
        assert export.download_url is not None
        path, _, query = export.download_url.removeprefix(ADDRESS).partition("?")
        return self.service.file_of(export.id, path, query.encode())[0]

    def own_link(self, export: ExportOut) -> tuple[str, bytes]:
        """Path and query of a link of ours to an export, wherever its file is."""
        expires_seconds = self.clock.now_us() // MICROSECONDS_PER_SECOND + 60
        keys = SecretBox([SECRET]).signing_keys(PURPOSE)
        path, _, query = signed_path(keys, export.id, expires_seconds).partition("?")
        return path, query.encode()

    def events(self, count: int, account: int | None = None, **fields: Any) -> None:
        noon_us = self.clock.now_us()
        events = [
            Event(
                id=derived_event_id(noon_us, str(number)),
                timestamp_us=noon_us + number,
                provider="openai",
                **(
                    {"model": "gpt-4o", "cost_pico": number, "cost_source": "computed"}
                    | {"entity_type": "customer", "entity_id": "acme"}
                    | fields
                ),
            )
            for number in range(count)
        ]
        self.store.append(account or self.account, events).result()


@pytest.fixture
def files(data_dir) -> ExportFiles:
    """Where this module's exports lie."""
    return ExportFolder(data_dir)


@pytest.fixture
def house(engine, cast, clock, data_dir, files) -> Iterator[House]:
    store = open_events(data_dir, engine, clock)
    jobs = JobQueue(engine, clock)
    pricing = PricingService(engine, clock, PriceBook(), store, jobs)
    make = partial(
        ExportService,
        engine,
        clock=clock,
        events=EventService(store, pricing, cast.accounts, clock),
        event_store=store,
        jobs=jobs,
        box=SecretBox([SECRET]),
        files=files,
        public_url=None,
    )
    yield House(
        account=cast.ann.number,
        other=cast.bob.number,
        engine=engine,
        clock=clock,
        store=store,
        jobs=jobs,
        service=make(),
        make=make,
        folder=data_dir / "exports",
    )
    store.close(5)
