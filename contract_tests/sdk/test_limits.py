"""Limits in the SDK against a real server: crossed, refused, degraded, and free again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

import infraprism
from contract_tests.sdk.conftest import Server
from infraprism import LimitReachedError, recorder
from infraprism.limits import KnownLimits
from sdk.tests.mock_provider import MockProvider

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
CALL = Decimal("0.000475")
"""What the mock's gpt-4o call costs."""


def known(refresh_seconds: float = 0.1) -> KnownLimits:
    where = recorder.default_uploader()
    assert where is not None
    return where.known_limits(refresh_seconds)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def api(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.key}"}
    answer = httpx2.request(method, f"{server.url}/v1{path}", headers=headers, json=body)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


def limit(server: Server, entity_type: str, entity_id: str, **more: Any) -> str:
    body = {
        "entity_type": entity_type,
        "entity_id": entity_id,
        "metric": "cost_usd",
        "amount": 0.0009,
        "period": "month",
        "action": "block",
        **more,
    }
    return str(api(server, "POST", "/limits", body)["id"])


def client_of(mock: MockProvider, **options: Any) -> Any:
    return infraprism.InfraPrismOpenAI(
        api_key="k", base_url=f"{mock.url}/v1", limits="enforce", **options
    )


def test_an_entity_that_crosses_its_limit_is_refused_and_is_free_when_the_limit_is_raised(
    reporting: Server, mock: MockProvider
) -> None:
    known()
    made = limit(reporting, "customer", "crosses")
    who = {"entity_type": "customer", "entity_id": "crosses"}
    client = client_of(mock)
    for _ in range(2):  # the first leaves room, the second crosses
        client.chat.completions.create(**ASK, **who)
        assert infraprism.flush(10)
    with pytest.raises(LimitReachedError) as refused:
        client.chat.completions.create(**ASK, **who)
    assert len(mock.requests) == 2, "nothing of the refused call reaches the provider"
    error = refused.value
    assert (error.limit_id, error.limit, error.spent) == (made, Decimal("0.0009"), 2 * CALL)
    assert error.resets_at is not None
    assert error.resets_at > datetime.now(UTC)
    api(reporting, "PATCH", f"/limits/{made}", {"amount": 1})
    until(lambda: known().list.find(("customer", "crosses")) is None)
    client.chat.completions.create(**ASK, **who)
    assert len(mock.requests) == 3


def test_a_star_limit_refuses_each_entity_on_its_own_and_other_processes_learn_of_it(
    reporting: Server, mock: MockProvider
) -> None:
    """Another process spends: this one learns of it from the list alone."""
    known()
    limit(reporting, "tenant", "*", metric="requests", amount=2)
    client = client_of(mock, on_limit=lambda _: "gpt-4o-mini" if degrades else None)
    degrades = False
    now = datetime.now(UTC).isoformat()
    event = {"timestamp": now, "provider": "openai", "model": "gpt-4o"}
    spent = [{**event, "entity_type": "tenant", "entity_id": "one"} for _ in range(2)]
    api(reporting, "POST", "/events", {"events": spent})
    until(lambda: known().list.find(("tenant", "one")) is not None)
    with pytest.raises(LimitReachedError) as refused:
        client.chat.completions.create(**ASK, entity_type="tenant", entity_id="one")
    assert (refused.value.metric, refused.value.limit, refused.value.spent) == ("requests", 2, 2)
    client.chat.completions.create(**ASK, entity_type="tenant", entity_id="two")
    degrades = True
    client.chat.completions.create(**ASK, entity_type="tenant", entity_id="one")
    assert [request["model"] for request in mock.requests] == ["gpt-4o", "gpt-4o-mini"]


def test_a_period_that_has_ended_lets_calls_through_before_the_server_says_so(
    reporting: Server, mock: MockProvider
) -> None:
    """`resets_at` is honoured here, by the server's clock: the list itself is not asked again."""
    now = [time.time()]
    mine = known(3_600)
    limit(reporting, "customer", "hourly", metric="requests", amount=1, period="hour")
    event = {"timestamp": datetime.now(UTC).isoformat(), "provider": "openai", "model": "gpt-4o"}
    spent = [{**event, "entity_type": "customer", "entity_id": "hourly"}]
    api(reporting, "POST", "/events", {"events": spent})
    client = client_of(mock)
    assert mine.wait(20)
    mine.list.clock = lambda: now[0]
    who = {"entity_type": "customer", "entity_id": "hourly"}
    with pytest.raises(LimitReachedError) as refused:
        client.chat.completions.create(**ASK, **who)
    assert refused.value.resets_at is not None
    now[0] = refused.value.resets_at.timestamp() - 1
    with pytest.raises(LimitReachedError):
        client.chat.completions.create(**ASK, **who)
    now[0] += 1
    client.chat.completions.create(**ASK, **who)
    assert len(mock.requests) == 1
