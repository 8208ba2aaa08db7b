"""The shared server, and an account of it that an SDK reports to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contract_tests.harness.server_process import ServerProcess
from infraprism import recorder
from sdk.tests.mock_provider import MockProvider

EMAIL = "reported@example.com"


@dataclass(frozen=True)
class Server:
    """Where it listens, and the key of an account."""

    url: str
    key: str


@pytest.fixture(scope="package")
def reported(server: ServerProcess) -> Server:
    return Server(server.url, server.add_account(EMAIL.partition("@")[0]).key)


@pytest.fixture
def reporting(reported: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The SDK of this process reports there."""
    monkeypatch.setenv("INFRAPRISM_API_KEY", reported.key)
    monkeypatch.setenv("INFRAPRISM_BASE_URL", reported.url)
    recorder.reset()
    yield reported
    recorder.close()


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with MockProvider() as provider:
        yield provider
