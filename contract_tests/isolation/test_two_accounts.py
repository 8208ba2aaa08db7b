"""Two accounts in one server see and change nothing of each other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.routes import Route, every_route
from contract_tests.isolation.samples import begin, body_of, objects_for, one_event
from contract_tests.isolation.two_accounts import Recorder, check_replay, snapshot

CANARY = "canary-9f3e"
EXTRA = {
    "account": 1,
    "account_id": "acc_00000000000000000000000000000000",
    "plan": "enterprise",
    "rate_limit_per_minute": 1_000_000,
    "created_at": "2001-01-01T00:00:00Z",
    "email": "other@example.com",
    "key": "ip-mine",
    "hash": "00",
    "prefix": "ip-own",
    "last_used_at": "2001-01-01T00:00:00Z",
    "cost_source": "reported",
    "total_cost": 0,
    "secret": "whsec_mine",
    "__proto__": {"plan": "enterprise"},
    "prompt": "content has no place here",
}


def test_r19_r21_requests_replayed_by_another_account_show_and_change_nothing(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R19, R21: nothing of A's is seen or changed, A's canary occurs in no byte B receives."""
    owner = Recorder(server.url, fresh_account().key)
    other = server.client(fresh_account())
    assert check_replay(owner, other, mark=CANARY, seed=19, rounds=2) >= 100


def test_r21_a_reader_beside_a_full_account_sees_an_empty_one(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R21: every GET of a new account holds none of the canary that A has everywhere."""
    owner, other = server.client(fresh_account()), server.client(fresh_account())
    routes = every_route(other)
    begin(owner, CANARY)
    owner.ingest([one_event(CANARY) for _ in range(20)])
    for route in routes:
        if route.method == "PATCH":
            sent = owner.send(
                route.method, route.url(objects_for(route, owner, CANARY)), body_of(route, CANARY)
            )
            assert sent.status == 200, sent
    filters = ["", "?limit=1000", "?start_date=2025-01-01&end_date=2025-12-31"]
    filters += [f"?{name}={CANARY}-{name.split('_')[0]}" for name in ("model", "session_id")]
    for path in ("/v1/events", "/v1/usage", "/v1/entities"):
        for query in filters:
            answer = other.get(path + query)
            assert CANARY.encode() not in answer.body or answer.status == 400
    assert CANARY not in str(snapshot(other, routes))


@pytest.fixture(scope="module")
def routes(server: ServerProcess) -> list[Route]:
    return every_route(server.client())


def test_r20_extra_fields_are_refused_by_name_and_never_persist(
    server: ServerProcess,
    fresh_account: Callable[[], TestAccount],
    routes: list[Route],
) -> None:
    """R20: no body of any route takes a field it does not have; the account stays as it was."""
    client = server.client(fresh_account())
    begin(client, "sample")
    taking = [(route, objects_for(route, client)) for route in routes if route.body is not None]
    before = snapshot(client, routes)
    for route, ids in taking:
        for name, value in EXTRA.items():
            if name in route.body["properties"]:
                continue
            answer = client.send(route.method, route.url(ids), body_of(route) | {name: value})
            assert answer.status == 400, (route.label, name, answer)
            assert answer.error["param"] == name, (route.label, answer)
    assert snapshot(client, routes) == before


def test_r20_extra_fields_of_an_event_are_rejected_by_name(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R20: an event with a field too many is not stored; there is no place for content."""
    client: Client = server.client(fresh_account())
    events = [one_event() | {name: value} for name, value in EXTRA.items()]
    result = client.ingest(events)
    assert result["accepted"] == 0
    named = [entry["error"]["param"] for entry in result["rejected"]]
    assert named == [f"events[{index}].{name}" for index, name in enumerate(EXTRA)]
    assert client.ok("/v1/events")["data"] == []
