"""Keys that are deleted, and addresses that guess."""

from __future__ import annotations

import time

from contract_tests.harness.client import Client
from contract_tests.harness.clock import wait_for_minute
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.secrets import look_for_keys


def test_r17_a_deleted_key_stops_within_a_second(server: ServerProcess, client_a: Client) -> None:
    """R17: a key in use answers 401 at the latest one second after its deletion."""
    for number in range(5):
        made = client_a.post("/v1/api-keys", {"name": f"short-lived {number}"}).json()
        user = Client(server.url, made["key"])
        assert user.get("/v1/me").status == 200
        assert client_a.delete(f"/v1/api-keys/{made['id']}").status == 200
        deadline = time.monotonic() + 1.0
        while user.get("/v1/me").status != 401:
            assert time.monotonic() < deadline, "it still works after a second"
        assert user.post("/v1/events", {"events": []}).status == 401


def test_r17_a_key_that_deletes_itself_stops(server: ServerProcess, client_a: Client) -> None:
    """R17: the answer to its own deletion is its last."""
    made = client_a.post("/v1/api-keys", {"name": "itself"}).json()
    user = Client(server.url, made["key"])
    assert user.delete(f"/v1/api-keys/{made['id']}").json() == {"deleted": True}
    assert user.get("/v1/me").status == 401


def test_r18_twenty_bad_keys_a_minute_then_429_and_good_keys_still_work(
    server: ServerProcess, account_a: TestAccount
) -> None:
    """R18: the bound is on failures of an address; good keys from there and others go on."""
    wait_for_minute(at_least_seconds=8)
    here = {"X-Forwarded-For": "192.0.2.18"}
    guesser = Client(server.url, "ip-guess")
    statuses = [guesser.request("GET", "/v1/me", headers=here).status for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    refused = guesser.request("GET", "/v1/me", headers=here)
    assert refused.error["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit"] == "20"
    good = server.client(account_a)
    assert good.request("GET", "/v1/me", headers=here).status == 200
    elsewhere = {"X-Forwarded-For": "192.0.2.19"}
    assert guesser.request("GET", "/v1/me", headers=elsewhere).status == 401


def test_r14_the_text_of_a_key_is_left_nowhere(own_server: ServerProcess) -> None:
    """R14: 100 keys, used rightly and wrongly, in no answer, file, log or export afterwards."""
    account = own_server.add_account("secrets")
    assert look_for_keys(own_server, account, seed=14, keys=100) == 100
