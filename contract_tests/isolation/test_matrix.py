"""R16: every route with every scope and every bad credential, as the contract says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from contract_tests.harness.client import Answer, Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.routes import SCOPES, Route, every_route
from contract_tests.isolation.samples import begin, body_of, objects_for

_addresses = count(1)


def elsewhere() -> dict[str, str]:
    """An address of its own: failed authentications are bounded by address."""
    number = next(_addresses)
    return {"X-Forwarded-For": f"10.1.{number // 250}.{number % 250 + 1}"}


def call(client: Client, route: Route, ids: dict[str, str]) -> Answer:
    """The route with a good body."""
    body = body_of(route)
    if body is None:
        return client.request(route.method, route.url(ids), headers=elsewhere())
    return client.send(route.method, route.url(ids), body, elsewhere())


def assert_rate_headers(answer: Answer) -> None:
    """R24: the three headers are on every answer, and they are numbers."""
    for name in ("limit", "remaining", "reset"):
        assert answer.headers[f"x-ratelimit-{name}"].isdecimal(), answer
    assert answer.headers["x-request-id"]


@pytest.fixture(scope="module")
def routes(server: ServerProcess) -> list[Route]:
    return every_route(server.client())


@pytest.mark.parametrize("scope", SCOPES)
def test_r16_each_scope_reaches_its_routes_and_no_others(
    server: ServerProcess,
    fresh_account: Callable[[], TestAccount],
    routes: list[Route],
    scope: str,
) -> None:
    """R16: a key's scopes open the routes the contract names; the others answer `forbidden`."""
    account = fresh_account()
    owner = server.client(account)
    begin(owner, "sample")
    key = owner.post("/v1/api-keys", {"name": scope, "scopes": [scope]}).json()["key"]
    client = Client(server.url, key)
    wrong = []
    for route in routes:
        answer = call(client, route, objects_for(route, owner))
        assert_rate_headers(answer)
        expected = route.status if scope in route.scopes() else 403
        if answer.status != expected:
            wrong.append((route.label, expected, answer.status, answer.body[:200]))
        elif expected == 403:
            assert answer.error["code"] == "forbidden", route.label
    assert not wrong


def test_r16_the_document_tells_the_scopes_of_the_contract(routes: list[Route]) -> None:
    """R16: `x-scopes` in the OpenAPI document says what decisions.md says."""
    assert {r.label: r.told_scopes for r in routes} == {r.label: r.scopes() for r in routes}


def test_r16_without_a_good_key_every_route_gives_the_same_401(
    server: ServerProcess, account_a: TestAccount, client_a: Client, routes: list[Route]
) -> None:
    """R16: missing, malformed, unknown and deleted keys can not be told apart."""
    made = client_a.post("/v1/api-keys", {"name": "to delete"}).json()
    assert client_a.delete(f"/v1/api-keys/{made['id']}").json() == {"deleted": True}
    broken = account_a.key[:-1] + ("a" if account_a.key[-1] != "a" else "b")
    bad = {
        "no key": {},
        "empty": {"Authorization": "Bearer "},
        "other scheme": {"Authorization": f"Basic {account_a.key}"},
        "malformed": {"Authorization": "Bearer ip-nonsense"},
        "wrong checksum": {"Authorization": f"Bearer {broken}"},
        "deleted": {"Authorization": f"Bearer {made['key']}"},
        "a byte too many": {"Authorization": f"Bearer {account_a.key}x"},
        "not ascii": {"Authorization": "Bearer ip-\xe9\xff"},
    }
    client = server.client()
    bodies = set()
    for route in routes:
        ids = dict.fromkeys(route.path_names, "anything")
        body = body_of(route)
        for name, credentials in bad.items():
            headers = elsewhere() | credentials
            if body is None:
                answer = client.request(route.method, route.url(ids), headers=headers)
            else:
                answer = client.send(route.method, route.url(ids), body, headers)
            assert answer.status == 401, (route.label, name, answer)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.error["code"] == "unauthorized"
            assert_rate_headers(answer)
            bodies.add(answer.body)
    assert len(bodies) == 1


def test_r16_an_object_of_another_account_is_not_found(
    server: ServerProcess,
    fresh_account: Callable[[], TestAccount],
    client_b: Client,
    routes: list[Route],
) -> None:
    """R16: B calls every route with A's ids: 404, and A still has the object afterwards."""
    owner = server.client(fresh_account())
    begin(owner, "owned-by-a")
    for route in routes:
        if not route.path_names:
            continue
        ids = objects_for(route, owner, "owned-by-a")
        answer = call(client_b, route, ids)
        assert_rate_headers(answer)
        if route.path.startswith("/v1/entities/"):
            # An entity's id is the caller's own word: B's PATCH makes B's entity, GET finds none.
            assert answer.status == (200 if route.method == "PATCH" else 404), route.label
        else:
            assert answer.status == 404, (route.label, answer)
            assert answer.error["code"] == "not_found"
        if route.method == "PATCH" and answer.status == 200:
            mine = owner.ok(route.url(ids))
            assert mine["name"] is None, "A's entity was changed"
        if route.method == "DELETE":
            assert call(owner, route, ids).status == 200, route.label


def test_r16_a_method_that_a_path_does_not_take_is_405_with_allow(
    client_a: Client, routes: list[Route]
) -> None:
    """405 names exactly the methods of the document, for OPTIONS too: there is no CORS."""
    paths: dict[str, set[str]] = {}
    for route in routes:
        paths.setdefault(route.path, set()).add(route.method)
    for path, methods in paths.items():
        for method in {"OPTIONS", "PUT", "GET", "POST", "PATCH", "DELETE"} - methods:
            answer = client_a.request(method, path.replace("{", "").replace("}", ""))
            if answer.status != 405:  # a literal path such as /prices/lookup under {price_id}
                assert method == "DELETE", (method, path, answer)
                assert answer.status == 404, (method, path, answer)
                continue
            assert answer.error["code"] == "method_not_allowed"
            assert methods <= set(answer.headers["allow"].split(", "))
            assert_rate_headers(answer)
