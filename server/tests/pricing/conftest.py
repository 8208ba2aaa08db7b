"""One price book for all tests of pricing, a control store per test, and calls to price."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from infraprism_server.clock import FixedClock, to_us
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.tables import accounts, metadata
from infraprism_server.event_store.contract import Event
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALLED_AT = datetime(2025, 11, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def book() -> PriceBook:
    return PriceBook()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A control store with the accounts 1 and 2."""
    engine = open_control_store(sqlite_url(tmp_path))
    metadata.create_all(engine)
    with engine.begin() as connection:
        for number in (1, 2):
            row = {
                "number": number,
                "id": f"acc_{number}",
                "email": f"{number}@example.com",
                "name": "A",
                "company": "A",
                "plan": "growth",
                "timezone": "UTC",
                "created_at_us": 0,
            }
            connection.execute(insert(accounts).values(row))
    yield engine
    engine.dispose()


@pytest.fixture
def pricing(engine: Engine, clock: FixedClock, book: PriceBook) -> PricingService:
    return PricingService(engine, clock, book)


@pytest.fixture
def call() -> Callable[..., Event]:
    """A call of gpt-4o with 1,000 input and 100 output tokens, unless told otherwise."""
    numbers = iter(range(1_000_000))

    def make(**fields: object) -> Event:
        at = fields.pop("at", CALLED_AT)
        assert isinstance(at, datetime)
        given = {
            "id": f"call-{next(numbers)}",
            "timestamp_us": to_us(at),
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 1_000,
            "output_tokens": 100,
        }
        return Event(**{**given, **fields})  # type: ignore[arg-type]

    return make
