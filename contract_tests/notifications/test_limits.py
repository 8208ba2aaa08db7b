"""Limits from posted events alone: signed webhooks arrive, and callers learn who is blocked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.receiver import Receiver


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    made = server.client(server.add_account(f"limited-{time.monotonic_ns()}"))
    yield made
    made.close()


def calls(count: int, *, cost: float | None = 1, **fields: Any) -> list[dict[str, Any]]:
    now = datetime.now(UTC).isoformat()
    return [
        {
            "timestamp": now,
            "provider": "openai",
            "model": "gpt-4o",
            "entity_type": "customer",
            "entity_id": "acme/é",
            "cost_usd": cost,
            **fields,
        }
        for _ in range(count)
    ]


def limit(client: Client, **fields: Any) -> dict[str, Any]:
    body = {
        "entity_type": "customer",
        "entity_id": "acme/é",
        "metric": "cost_usd",
        "amount": 10,
        "period": "month",
        **fields,
    }
    answer = client.post("/v1/limits", body)
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json()
    return made


def hook(client: Client, url: str, *kinds: str) -> Webhook:
    answer = client.post("/v1/webhooks", {"url": url, "events": list(kinds)})
    assert answer.status == 201, answer
    return Webhook(answer.json()["secret"])


def test_both_alerts_arrive_signed_from_posted_events_alone(client: Client) -> None:
    with Receiver() as receiver:
        verifier = hook(client, receiver.url, "limit.reached", "limit.approaching")
        made = limit(client)
        client.ingest(calls(8))
        receiver.wait_for(1, 5)
        client.ingest(calls(2))
        receiver.wait_for(2, 5)
        client.ingest(calls(50))
        time.sleep(1.5)
        messages = [verifier.verify(body, headers) for headers, body in receiver.got]
    assert [(each["type"], each["data"]["spent"]) for each in messages] == [
        ("limit.approaching", 8),
        ("limit.reached", 10),
    ]
    data = messages[1]["data"]
    assert data["limit_id"] == made["id"]
    assert {"entity_type", "entity_id", "metric", "amount", "period_start", "resets_at"} <= set(
        data
    )
    assert (data["entity_id"], data["amount"]) == ("acme/é", 10)


def test_the_first_unpriced_model_of_a_day_is_told_once(client: Client) -> None:
    with Receiver() as receiver:
        verifier = hook(client, receiver.url, "pricing.unpriced")
        for model in ("no-such-model", "no-such-model", "another"):
            client.ingest(calls(1, cost=None, model=model, input_tokens=5))
        receiver.wait_for(1, 10)
        time.sleep(1.5)
        ((headers, body),) = receiver.got
    message = verifier.verify(body, headers)
    assert message["type"] == "pricing.unpriced"
    assert (message["data"]["provider"], message["data"]["model"]) == ("openai", "no-such-model")


def test_a_caller_learns_that_it_is_blocked_and_freed(
    server: ServerProcess, client: Client
) -> None:
    made = limit(client, action="block", metric="requests", amount=3)
    key = client.post("/v1/api-keys", {"name": "sdk", "scopes": ["ingest"]}).json()["key"]
    sdk = Client(server.url, key)
    asked = {"entity_type": "customer", "entity_id": "acme/é"}
    assert sdk.ok("/v1/limits/status", asked)["status"] == "allow"
    since = sdk.ok("/v1/limits/blocked")["as_of"]
    (blocked,) = sdk.ingest(calls(3))["blocked"]
    assert blocked == {
        "entity_type": "customer",
        "entity_id": "acme/é",
        "limit_id": made["id"],
        "metric": "requests",
        "amount": 3,
        "spent": 3,
        "resets_at": made["resets_at"],
    }
    status = sdk.ok("/v1/limits/status", asked)
    assert (status["status"], status["remaining"]) == ("block", 0)
    changes = sdk.ok("/v1/limits/blocked", {"since": since})
    assert [(each["entity_id"], each["blocked"]) for each in changes["data"]] == [("acme/é", True)]
    assert not changes["complete"]
    assert client.patch(f"/v1/limits/{made['id']}", {"amount": 100}).json()["state"] == "ok"
    freed = sdk.ok("/v1/limits/blocked", {"since": changes["as_of"]})
    assert [(each["entity_id"], each["blocked"]) for each in freed["data"]] == [("acme/é", False)]
    assert sdk.ingest(calls(1))["blocked"] == []
    assert sdk.get("/v1/limits").status == 403
    sdk.close()


def test_repricing_moves_what_was_spent(client: Client) -> None:
    made = limit(client, amount=1)
    client.ingest(calls(2, cost=None, model="house-model", input_tokens=1_000_000))
    path = f"/v1/limits/{made['id']}"
    before = client.ok(path)
    assert (before["spent"], before["unpriced_events"]) == (0, 2)
    price = {"provider": "openai", "model": "house-model", "input_usd_per_million": 3}
    assert client.post("/v1/prices", {**price, "output_usd_per_million": 3}).status == 201
    assert (
        client.post("/v1/prices/repricings", {"dry_run": False, "only": "unpriced"}).status == 201
    )
    deadline = time.monotonic() + 10
    while (now := client.ok(path))["spent"] != 6:
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    assert (now["state"], now["unpriced_events"]) == ("reached", 0)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"amount": "5"}, "amount"),
        ({"amount": 0}, "amount"),
        ({"metric": "euros"}, "metric"),
        ({"period": "year"}, "period"),
        ({"entity_type": "Customer"}, "entity_type"),
        ({"entity_id": ""}, "entity_id"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"approaching": [2]}, "approaching[0]"),
        ({"amuont": 5}, "amuont"),
    ],
)
def test_bad_input_names_the_field(client: Client, fields: dict[str, Any], param: str) -> None:
    body = {
        "entity_type": "customer",
        "entity_id": "acme",
        "metric": "cost_usd",
        "amount": 10,
        "period": "month",
    }
    answer = client.post("/v1/limits", {**body, **fields})
    assert (answer.status, answer.error["param"]) == (400, param)


def test_bad_queries_name_the_parameter(client: Client) -> None:
    for path, param in (
        ("/v1/limits/status?entity_type=customer", "entity_id"),
        ("/v1/limits/status?entity_type=customer&entity_id=..", "entity_id"),
        ("/v1/limits/blocked?since=yesterday", "since"),
        ("/v1/limits?state=reached", "state"),
    ):
        answer = client.get(path)
        assert (answer.status, answer.error["param"]) == (400, param), path


def test_history_rings_no_bell(client: Client) -> None:
    with Receiver() as receiver:
        hook(client, receiver.url, "limit.reached", "limit.approaching")
        limit(client, period="day")
        old = (datetime.now(UTC) - timedelta(days=30)).isoformat()
        client.ingest(calls(40, timestamp=old))
        time.sleep(2)
        assert receiver.got == []
