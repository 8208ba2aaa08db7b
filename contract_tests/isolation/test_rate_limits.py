"""Requests a minute: admitted exactly, told in headers, and over when they say so."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract_tests.harness.clock import seconds_left, wait_for_minute
from contract_tests.harness.server_process import ServerProcess
from contract_tests.isolation.neighbour import beside_a_noisy_one

LIMIT = 200
CONNECTIONS = 8


def test_r23_n_a_minute_are_admitted_over_eight_connections(server: ServerProcess) -> None:
    """R23: of twice as many from 8 connections at once, N are admitted within 1 %."""
    account = server.add_account("two-hundred", rate_limit=LIMIT)
    wait_for_minute(at_least_seconds=10)

    def ask(_: int) -> list[int]:
        client = server.client(account)
        return [client.get("/v1/me").status for _ in range(2 * LIMIT // CONNECTIONS)]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        statuses = [status for some in pool.map(ask, range(CONNECTIONS)) for status in some]
    assert set(statuses) == {200, 429}
    assert abs(statuses.count(200) - LIMIT) <= LIMIT // 100


@pytest.mark.long
@pytest.mark.timeout(150)
def test_r24_headers_count_down_and_sleeping_retry_after_helps(server: ServerProcess) -> None:
    """R24: limit, remaining and reset are true, and after Retry-After the next one is admitted."""
    client = server.client(server.add_account("three-a-minute", rate_limit=3))
    wait_for_minute(at_least_seconds=3, at_most_seconds=8)
    reset = int(time.time() + seconds_left() + 0.5)
    for remaining in ("2", "1", "0"):
        answer = client.get("/v1/me")
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit"] == "3"
        assert answer.headers["x-ratelimit-remaining"] == remaining
        assert abs(int(answer.headers["x-ratelimit-reset"]) - reset) <= 1
    # Every kind of route counts in the one bucket, and every answer has the headers.
    for method, path in [("GET", "/v1/events"), ("POST", "/v1/events"), ("GET", "/v1/nothing")]:
        refused = client.request(method, path)
        assert (refused.status, refused.error["code"]) == (429, "rate_limited")
        assert refused.headers["x-ratelimit-remaining"] == "0"
    assert client.get("/v1/openapi.json").status == 200, "exempt"
    time.sleep(int(refused.headers["retry-after"]))
    assert client.get("/v1/me").status == 200


def test_r22_an_account_at_ten_times_its_limit_costs_others_nothing(server: ServerProcess) -> None:
    """R22, small: A is held to its limit while every call of B is answered with 200."""
    noisy = server.add_account("noisy", rate_limit=300)
    found = beside_a_noisy_one(server, noisy, server.add_account("quiet"), limit=300, calls=200)
    assert found.statuses[200] <= 2 * 300, "two minutes at most were touched"
    assert len(found.beside_ms) == 200
