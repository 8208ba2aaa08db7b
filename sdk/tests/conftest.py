"""Two local servers in every test: the mock provider, and InfraPrism as the SDK meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import infraprism
from infraprism import recorder
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with MockProvider() as server:
        yield server


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with FakeServer() as server:
        monkeypatch.setenv("INFRAPRISM_API_KEY", "ip-test")
        monkeypatch.setenv("INFRAPRISM_BASE_URL", server.url)
        monkeypatch.delenv("INFRAPRISM_DISABLED", raising=False)
        recorder.reset()
        yield server
        server.mode = "ok"
        recorder.close()


@pytest.fixture
def recorded(fake: FakeServer) -> Callable[[], list[dict[str, Any]]]:
    """All events the server has, in the order they came, once everything recorded was sent."""

    def events() -> list[dict[str, Any]]:
        assert infraprism.flush(10)
        return list(fake.events.values())

    return events
