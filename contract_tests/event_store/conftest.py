"""A store of each engine, opened once a module; every test works in an account of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from contract_tests.event_store.engines import ENGINES, Opener
from infraprism_server.event_store.contract import EventStore

_accounts = count(1)


@pytest.fixture(scope="module", params=list(ENGINES))
def open_engine(request: pytest.FixtureRequest) -> Opener:
    return ENGINES[request.param]


@pytest.fixture(scope="module")
def store(open_engine: Opener, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    opened = open_engine(tmp_path_factory.mktemp("store"))
    yield opened
    opened.close(10)


@pytest.fixture
def account() -> int:
    return next(_accounts)


@pytest.fixture(scope="module")
def next_account() -> Iterator[int]:
    """Fresh accounts, for tests that need many."""
    return _accounts
