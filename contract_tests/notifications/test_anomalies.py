"""Anomalies from posted events alone: a signed webhook, its reasons, and how it is recomputed."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.receiver import Receiver

HOUR = timedelta(hours=1)


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    made = server.client(server.add_account(f"watched-{time.monotonic_ns()}"))
    yield made
    made.close()


def open_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def call(at: datetime, cost: float, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": at.isoformat(),
        "provider": "openai",
        "model": "gpt-4o",
        "entity_type": "customer",
        "entity_id": "acme/é",
        "cost_usd": cost,
        **fields,
    }


def habit(client: Client, days: int) -> None:
    """About a dollar an hour, up to the open one."""
    now = open_hour()
    calls = [
        call(now - hour * HOUR, 1 + hour % 7 / 50, tags={"feature": "chat"})
        for hour in range(1, 24 * days)
    ]
    for start in range(0, len(calls), 500):
        client.ingest(calls[start : start + 500])


def test_anomaly_detected_arrives_signed_and_once_from_posted_events_alone(client: Client) -> None:
    with Receiver() as receiver:
        asked = {"url": receiver.url, "events": ["anomaly.detected", "limit.reached"]}
        verifier = Webhook(client.post("/v1/webhooks", asked).json()["secret"])
        limit = {"entity_type": "customer", "entity_id": "*", "metric": "cost_usd", "amount": 60}
        assert client.post("/v1/limits", {**limit, "period": "hour"}).status == 201
        habit(client, 28)
        leaked = {"model": "gpt-5-pro", "tags": {"feature": "unknown"}}
        client.ingest([call(open_hour(), 70.5, **leaked)])
        receiver.wait_for(2, 30)
        time.sleep(1.5)
        messages = {
            message["type"]: message["data"]
            for message in (verifier.verify(body, headers) for headers, body in receiver.got)
        }
        assert len(receiver.got) == 2, "each is told once"
    assert messages["limit.reached"]["spent"] == 70.5
    told = messages["anomaly.detected"]
    shown = client.ok(f"/v1/anomalies/{told['id']}")
    assert told == json.loads(json.dumps(shown, default=float))
    assert (shown["entity_type"], shown["entity_id"]) == ("customer", "acme/é")
    assert shown["actual_usd"] >= 70.5
    assert shown["lower_usd"] <= shown["expected_usd"] < shown["upper_usd"] < shown["actual_usd"]
    assert [(each["dimension"], each["value"]) for each in shown["contributors"][:2]] == [
        ("model", "gpt-5-pro"),
        ("tags[feature]", "unknown"),
    ]
    assert "customer acme/é spent $" in shown["text"]
    assert "model gpt-5-pro" in shown["text"]
    series = client.ok(f"/v1/anomalies/{told['id']}/series")
    odd = [hour for hour in series["hours"] if hour["in_episode"]]
    assert [float(hour["actual_usd"]) for hour in odd] == [70.5]
    assert all(hour["actual_usd"] > hour["upper_usd"] for hour in odd)


def test_a_short_script_over_an_export_recomputes_what_was_told(client: Client) -> None:
    """Expected is the median of the comparable windows, actual the sum of the window."""
    habit(client, 28)
    client.ingest([call(open_hour(), 70.5)])
    deadline = time.monotonic() + 30
    while not (found := client.ok("/v1/anomalies", {"entity_type": "customer"})["data"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told = found[0]
    today = datetime.now(UTC).date()
    wanted = {
        "start_date": str(today - timedelta(days=40)),
        "end_date": str(today),
        "format": "csv",
    }
    export = client.post("/v1/exports", wanted).json()
    while (export := client.ok(f"/v1/exports/{export['id']}"))["status"] == "processing":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rows = [
        (datetime.fromisoformat(row["timestamp"]), Decimal(row["cost_usd"]))
        for row in csv.DictReader(io.StringIO(httpx2.get(export["download_url"]).text))
        if row["entity_id"] == told["entity_id"]
    ]
    start, end = (datetime.fromisoformat(told["window"][edge]) for edge in ("start", "end"))

    def spent(begin: datetime) -> Decimal:
        return sum((cost for at, cost in rows if begin <= at < begin + (end - start)), Decimal(0))

    assert spent(start) == Decimal(str(told["actual_usd"]))
    usual = median(spent(datetime.fromisoformat(one)) for one in told["comparable"])
    assert abs(usual - Decimal(str(told["expected_usd"]))) < Decimal("1e-6")
    assert len(told["comparable"]) >= 9
