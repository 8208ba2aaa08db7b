"""The cast: a server for the whole session, two accounts with high limits, and their clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount

_numbers = count(1)

ENVIRONMENT = {
    "INFRAPRISM_TRUSTED_PROXIES": "127.0.0.1/32",
    "INFRAPRISM_ALLOW_PRIVATE_WEBHOOKS": "true",
    "INFRAPRISM_ANOMALY_SECONDS": "1",
    "INFRAPRISM_RETENTION_SECONDS": "2",
}
"""A test may speak for many client addresses, by X-Forwarded-For, webhooks stay at home, and
anomalies are looked for every second."""


def pytest_configure() -> None:
    ServerProcess.FORKED = True


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server that nobody kills; a worker of xdist has its own."""
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder, ENVIRONMENT) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running server of this test alone, to be killed as often as it likes."""
    with ServerProcess(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def account_a(server: ServerProcess) -> TestAccount:
    return server.add_account("account-a")


@pytest.fixture(scope="session")
def account_b(server: ServerProcess) -> TestAccount:
    return server.add_account("account-b")


@pytest.fixture
def client_a(server: ServerProcess, account_a: TestAccount) -> Iterator[Client]:
    client = server.client(account_a)
    yield client
    client.close()


@pytest.fixture
def client_b(server: ServerProcess, account_b: TestAccount) -> Iterator[Client]:
    client = server.client(account_b)
    yield client
    client.close()


@pytest.fixture(scope="session")
def fresh_account(server: ServerProcess) -> Callable[[], TestAccount]:
    """Makes accounts without any data, for tests that count everything they have."""
    return lambda: server.add_account(f"fresh-{next(_numbers)}")
