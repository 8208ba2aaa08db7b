"""A good body for every route that takes one, and an object for every id in a path.

A new route whose body or id is not known here fails the matrix: it can not be missing from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

from contract_tests.harness.client import Client
from contract_tests.isolation.routes import Route

_numbers = count(1)
NOWHERE = "http://127.0.0.1:9/webhook"
"""A webhook's target on this machine at which nobody listens."""


def one_event(mark: str = "sample") -> dict[str, Any]:
    """An event whose text fields all hold `mark`."""
    number = next(_numbers)
    return {
        "id": f"{mark}-id-{number}",
        "timestamp": "2025-01-15T10:30:00Z",
        "provider": f"{mark}-provider",
        "model": f"{mark}-model",
        "input_tokens": 150,
        "output_tokens": 500,
        "entity_type": "customer",
        "entity_id": f"{mark}-entity",
        "session_id": f"{mark}-session",
        "tags": {f"{mark}-key": f"{mark}-value"},
        "success": False,
        "error_type": f"{mark}-type",
        "error_code": f"{mark}-code",
    }


BODIES: dict[str, Callable[[str], Any]] = {
    "PATCH /v1/me": lambda mark: {"name": f"{mark} name", "company": f"{mark} company"},
    "POST /v1/events": lambda mark: {"events": [one_event(mark)]},
    "PATCH /v1/entities/{entity_type}/{entity_id}": lambda mark: {
        "name": f"{mark} name",
        "metadata": {f"{mark}-key": f"{mark}-value"},
        "revenue_usd_monthly": 12.5,
    },
    "POST /v1/prices": lambda mark: {
        "provider": f"{mark}-provider",
        "model": f"{mark}-model",
        "input_usd_per_million": 1.25,
        "output_usd_per_million": 2,
        "note": f"{mark} note",
    },
    "POST /v1/prices/repricings": lambda _: {"dry_run": True, "only": "all"},
    "POST /v1/api-keys": lambda mark: {"name": f"{mark} key"},
    "POST /v1/webhooks": lambda mark: {
        "url": f"{NOWHERE}/{mark}",
        "events": ["limit.reached"],
    },
    "POST /v1/exports": lambda mark: {
        "start_date": "2025-01-01",
        "end_date": "2025-01-31",
        "format": "csv",
        "model": f"{mark}-model",
    },
    "PATCH /v1/anomalies/{anomaly_id}": lambda _: {"status": "expected"},
    "PATCH /v1/anomalies/settings": lambda _: {"sensitivity": "high", "minimum_impact_usd": 2.5},
    "POST /v1/anomalies/planned": lambda mark: {
        "start_date": "2025-01-01",
        "end_date": "2025-01-31",
        "entity_type": "customer",
        "entity_id": f"{mark}-entity",
        "note": f"{mark} note",
    },
    "POST /v1/limits": lambda mark: {
        "entity_type": "customer",
        "entity_id": f"{mark}-limited",
        "metric": "cost_usd",
        "amount": 100,
        "period": "month",
    },
    "PATCH /v1/limits/{limit_id}": lambda _: {"amount": 250.5},
    "POST /v1/sdk/reports": lambda mark: {
        "version": "0.1.0",
        "runtime": f"{mark}-runtime",
        "queued": 3,
        "sent": 1,
        "dropped": {"queue_full": 2},
        "fields_dropped": {"session_id": 1},
    },
    "PATCH /v1/webhooks/{webhook_id}": lambda mark: {"url": f"{NOWHERE}/{mark}/changed"},
}


def body_of(route: Route, mark: str = "sample") -> Any:
    """A body the route takes, or None when it takes none."""
    if route.body is None:
        return None
    assert route.label in BODIES, f"add a body for {route.label} to isolation/samples.py"
    return BODIES[route.label](mark)


def _made(client: Client, path: str, mark: str) -> str:
    answer = client.post(path, BODIES[f"POST {path}"](mark))
    assert answer.status == 201, answer
    object_id: str = answer.json()["id"]
    return object_id


def _event(client: Client, mark: str) -> str:
    event = one_event(mark)
    assert client.ingest([event])["accepted"] == 1
    event_id: str = event["id"]
    return event_id


def begin(client: Client, *marks: str) -> None:
    """A new account's first calls, what `anomaly_id` is made of among them: found within seconds.

    In an account that was looked at before, the open hour waits for its turn.
    """
    client.ingest([call for mark in marks for call in _odd_calls(mark)])


def _odd_calls(mark: str) -> list[dict[str, Any]]:
    """Five quiet days of an entity, then an hour that is not."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return [
        one_event(mark)
        | {
            "id": f"{mark}-odd-{hour}",
            "timestamp": (now - timedelta(hours=hour)).isoformat(),
            "entity_id": f"{mark}-odd",
            "cost_usd": 0.05 if hour else 500,
        }
        for hour in range(120)
    ]


def _anomaly(client: Client, mark: str) -> str:
    path = f"/v1/anomalies?entity_type=customer&entity_id={quote(f'{mark}-odd', safe='')}"
    if not (found := client.ok(path)["data"]):
        assert client.ingest(_odd_calls(mark))["rejected"] == []
    deadline = time.monotonic() + 30
    while not found:
        assert time.monotonic() < deadline, "no anomaly was found"
        time.sleep(0.1)
        found = client.ok(path)["data"]
    anomaly_id: str = found[0]["id"]
    return anomaly_id


MAKERS: dict[str, Callable[[Client, str], str]] = {
    "event_id": _event,
    "entity_type": lambda *_: "customer",
    "price_id": lambda client, mark: _made(client, "/v1/prices", mark),
    "repricing_id": lambda client, mark: _made(client, "/v1/prices/repricings", mark),
    "key_id": lambda client, mark: _made(client, "/v1/api-keys", mark),
    "export_id": lambda client, mark: _made(client, "/v1/exports", mark),
    "webhook_id": lambda client, mark: _made(client, "/v1/webhooks", mark),
    "planned_id": lambda client, mark: _made(client, "/v1/anomalies/planned", mark),
    "anomaly_id": _anomaly,
    "limit_id": lambda client, mark: _made(client, "/v1/limits", mark),
}


def objects_for(route: Route, client: Client, mark: str = "sample") -> dict[str, str]:
    """New objects of the client's account, one for each id in the route's path."""
    ids: dict[str, str] = {}
    for name in route.path_names:
        if name == "entity_id":
            client.ingest([one_event(mark)])
            ids[name] = f"{mark}-entity"
        elif name == "delivery_id":
            answer = client.post(f"/v1/webhooks/{ids['webhook_id']}/test", {})
            assert answer.status == 201, answer
            ids[name] = answer.json()["id"]
        else:
            assert name in MAKERS, f"add a maker of {name} ({route.label}) to isolation/samples.py"
            ids[name] = MAKERS[name](client, mark)
    return ids
