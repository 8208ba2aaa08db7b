"""'Done when' 2: the contract's examples, from its text, reproduced field by field."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract_tests.contract.contract_text import TEXT, Example, differences, examples
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.routes import every_route
from contract_tests.isolation.samples import NOWHERE

FLUSH_SECONDS = 40
EXPORT_SECONDS = 30
CONTRACT = TEXT.read_text(encoding="utf-8")
ALL = examples(CONTRACT)
BUNDLED = Path(__file__).parents[2] / "server/src/infraprism_server/http/contract_examples.json"


def example(route: str, kind: str = "Response") -> Example:
    [found] = [each for each in ALL if (each.route, each.kind) == (route, kind)]
    return found


def fill(client: Client, last: dict[str, Any], amount: int, costs: dict[str, Decimal]) -> None:
    """`amount` events up to `last`, whose reported costs add up to `costs` by model."""
    cost = dict(costs)
    cost[last["model"]] -= last["cost_usd"]
    base = {k: v for k, v in last.items() if k != "id"} | {"timestamp": "2024-06-01T00:00:00Z"}
    events = [last]
    events += [base | {"model": model, "cost_usd": left} for model, left in cost.items()]
    events += [base | {"cost_usd": 0, "input_tokens": 0, "output_tokens": 0}] * (
        amount - len(events)
    )
    for start in range(0, amount, 1000):
        assert client.ingest(events[start : start + 1000])["rejected"] == []


@pytest.fixture(scope="module")
def the_event() -> dict[str, Any]:
    """The example event as a client would report it."""
    event: dict[str, Any] = dict(example("GET /v1/events").value["data"][0])
    return event


@pytest.fixture(scope="module")
def entity_client(
    server: ServerProcess, fresh_account: Callable[[], TestAccount], the_event: dict[str, Any]
) -> Iterator[Client]:
    """An account with the usage of the contract's entity: 15,234 events, 523.45 dollars."""
    client = server.client(fresh_account())
    wanted = example("GET /v1/entities/{entity_type}/{entity_id}").value
    fill(client, the_event, wanted["total_events"], wanted["cost_by_model"])
    yield client
    client.close()


def assert_reproduced(route: str, actual: object, kind: str = "Response") -> None:
    assert differences(example(route, kind).value, actual) == []


def test_every_example_of_the_contract_is_reproduced_here(server: ServerProcess) -> None:
    """The text's routes are the ones below, and the server has them all."""
    told = {each.route for each in ALL if each.route != "curl"}
    source = Path(__file__).read_text(encoding="utf-8")
    assert [route for route in told if source.count(f'"{route}"') == 0] == []
    built = {route.label for route in every_route(server.client())}
    assert told <= built


def test_get_me(server: ServerProcess, tmp_path: Path) -> None:
    """GET /v1/me of an account made by the command line."""
    wanted = example("GET /v1/me").value
    made = server.run(
        *("accounts", "create", "--email", "john@example.com", "--name", wanted["name"]),
        *("--company", wanted["company"], "--plan", wanted["plan"]),
    )
    actual = Client(server.url, made["api_key"]).ok("/v1/me")
    assert_reproduced("GET /v1/me", actual)
    assert actual["email"] == "john@example.com"
    assert differences(wanted, made["account"]) == [], "accounts create --json shows the same"


def test_list_and_get_events(
    server: ServerProcess, fresh_account: Callable[[], TestAccount], the_event: dict[str, Any]
) -> None:
    """GET /v1/events: 1,523 events, the newest is the example's, reported with its cost."""
    client = server.client(fresh_account())
    wanted = example("GET /v1/events").value
    fill(client, the_event, wanted["pagination"]["total"], {"gpt-4o": Decimal(5)})
    listed = client.ok("/v1/events")
    assert_reproduced("GET /v1/events", listed)
    assert listed["data"][0]["id"] == "evt_123"
    assert len(listed["data"]) == 100
    assert_reproduced("GET /v1/events/{event_id}", client.ok("/v1/events/evt_123"))
    assert differences(the_event, client.ok("/v1/events/evt_123")) == []


def test_list_and_get_entities(entity_client: Client) -> None:
    """GET /v1/entities and the entity: first and last seen, totals, cost by model."""
    listed = entity_client.ok("/v1/entities")
    assert_reproduced("GET /v1/entities", listed)
    assert len(listed["data"]) == 1
    one = entity_client.ok("/v1/entities/customer/acme-corp")
    assert_reproduced("GET /v1/entities/{entity_type}/{entity_id}", one)
    assert one["cost_by_model"].keys() == {"gpt-4o", "gpt-4o-mini"}


def test_api_keys(server: ServerProcess, fresh_account: Callable[[], TestAccount]) -> None:
    """The keys of an account: listed, created, deleted; `prefix` is the key's own beginning."""
    first = server.client(fresh_account())
    wanted = example("GET /v1/api-keys").value["data"][0]
    request = example("POST /v1/api-keys", "Request").value
    made = first.post("/v1/api-keys", request)
    assert made.status == 201
    assert_reproduced("POST /v1/api-keys", made.json())
    assert made.json()["prefix"] == made.json()["key"][:6]
    assert len(made.json()["prefix"]) == len(wanted["prefix"])
    production = first.post("/v1/api-keys", {"name": wanted["name"]}).json()
    client = Client(server.url, production["key"])
    for other in first.ok("/v1/api-keys")["data"]:
        if other["id"] != production["id"]:
            deleted = client.delete(f"/v1/api-keys/{other['id']}")
            assert_reproduced("DELETE /v1/api-keys/{key_id}", deleted.json())
    deadline = time.monotonic() + FLUSH_SECONDS
    while client.ok("/v1/api-keys")["data"][0]["last_used_at"] is None:
        assert time.monotonic() < deadline, "last_used_at is true to a minute"
        time.sleep(0.5)
    listed = client.ok("/v1/api-keys")
    assert_reproduced("GET /v1/api-keys", listed)
    assert len(listed["data"]) == 1
    assert "key" not in listed["data"][0]


def test_create_webhook(client_a: Client) -> None:
    """The request of POST /v1/webhooks is taken; its target is this machine here."""
    request = example("POST /v1/webhooks", "Request").value
    answer = client_a.post("/v1/webhooks", request | {"url": NOWHERE})
    assert answer.status == 201
    assert sorted(answer.json()["events"]) == sorted(request["events"])


def test_create_and_get_export(entity_client: Client) -> None:
    """POST /v1/exports answers `processing`, and the export completes with a link that works."""
    made = entity_client.post("/v1/exports", example("POST /v1/exports", "Request").value)
    assert made.status == 201
    assert_reproduced("POST /v1/exports", made.json())
    path = f"/v1/exports/{made.json()['id']}"
    deadline = time.monotonic() + EXPORT_SECONDS
    while (export := entity_client.ok(path))["status"] == "processing":
        assert time.monotonic() < deadline, "it does not complete"
        time.sleep(0.1)
    assert_reproduced("GET /v1/exports/{export_id}", export)


def test_pagination(
    server: ServerProcess, fresh_account: Callable[[], TestAccount], the_event: dict[str, Any]
) -> None:
    """The example of pagination: limit=100&offset=100 of 5,000."""
    client = server.client(fresh_account())
    wanted = example("curl", "Response includes pagination info")
    fill(client, the_event, wanted.value["pagination"]["total"], {"gpt-4o": Decimal(5)})
    page = client.ok("/v1/events?limit=100&offset=100")
    assert differences(wanted.value, page) == []
    assert len(page["data"]) == 100
    last = client.ok("/v1/events?limit=100&offset=4900")
    assert last["pagination"]["has_more"] is False


def test_the_examples_in_the_document_are_the_contracts() -> None:
    """contract_examples.json says what the text says; the e-mail address alone is written out."""
    bundled = json.loads(BUNDLED.read_text(encoding="utf-8"), parse_float=Decimal)
    names = {
        "get_me": example("GET /v1/me"),
        "list_events": example("GET /v1/events"),
        "list_entities": example("GET /v1/entities"),
        "get_entity": example("GET /v1/entities/{entity_type}/{entity_id}"),
        "list_api_keys": example("GET /v1/api-keys"),
        "create_api_key_request": example("POST /v1/api-keys", "Request"),
        "create_api_key": example("POST /v1/api-keys"),
        "delete_api_key": example("DELETE /v1/api-keys/{key_id}"),
        "error": next(each for each in ALL if "error" in each.value),
    }
    for name, told in names.items():
        ours, theirs = dict(bundled[name]), dict(told.value)
        if name == "get_me":
            assert "protected" in theirs.pop("email"), "the text obfuscates it"
            assert ours.pop("email")
        assert ours == theirs, name
    event = example("GET /v1/events/{event_id}")
    assert event.partial
    assert event.value.items() <= bundled["get_event"].items()
