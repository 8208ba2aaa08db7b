"""What tests of several features stand on: a real control store, a clock, two accounts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infraprism_server.accounts.account import Account
from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.clock import FixedClock
from infraprism_server.control_store.start import start_control_store
from server.tests.stores import open_events

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Cast:
    """Two accounts that must never see each other, and who looks after them."""

    ann: Account
    bob: Account
    accounts: AccountService
    keys: ApiKeyService


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="session")
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a first start leaves it; hundreds of tests begin with a copy of it."""
    folder, clock = tmp_path_factory.mktemp("new") / "data", FixedClock(NOON)
    engine = start_control_store(folder, None, clock.now_us(), holds_folder=False)
    open_events(folder, engine, clock).close(5)
    engine.dispose()
    return folder


@pytest.fixture
def engine(data_dir: Path, new_folder: Path, clock: FixedClock) -> Iterator[Engine]:
    if not data_dir.exists():
        shutil.copytree(new_folder, data_dir)
    engine = start_control_store(data_dir, None, clock.now_us(), holds_folder=False)
    yield engine
    engine.dispose()


@pytest.fixture
def cast(engine: Engine, clock: FixedClock) -> Cast:
    accounts = AccountService(engine, clock)
    return Cast(
        ann=accounts.create(NewAccount(email="ann@acme.example", name="Ann", plan="growth")),
        bob=accounts.create(NewAccount(email="bob@other.example", name="Bob")),
        accounts=accounts,
        keys=ApiKeyService(engine, accounts, clock),
    )
