"""Many writers cross a limit at the same moment, and the server may be killed at it: R26."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from random import Random
from typing import Any

from contract_tests.harness.client import CONNECTION_ERRORS, Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.notifications.receiver import Receiver

WRITERS = 50
AMOUNT = 25
MAX_SECONDS = 5.0
_RETRY_SECONDS = 0.05
_GIVE_UP_SECONDS = 60.0


def watch_requests(client: Client, receiver: Receiver) -> str:
    """25 requests a month for each customer, told to the receiver; the webhook's secret."""
    hook = client.post(
        "/v1/webhooks", {"url": receiver.url, "events": ["limit.reached", "limit.approaching"]}
    )
    assert hook.status == 201, hook
    limit = client.post(
        "/v1/limits",
        {
            "entity_type": "customer",
            "entity_id": "*",
            "metric": "requests",
            "amount": AMOUNT,
            "period": "total",
            "approaching": [0.5],
            "action": "block",
        },
    )
    assert limit.status == 201, limit
    secret: str = hook.json()["secret"]
    return secret


def cross_at_once(
    server: ServerProcess,
    account: TestAccount,
    receiver: Receiver,
    *,
    seed: int,
    rounds: int,
    kill: bool,
) -> list[float]:
    """R26: in each round 50 writers post one call of a new customer, all at once.

    With `kill`, the server is killed a random moment later and started again; writers send again
    what was not answered. Every customer is told of once at 13 and once at 25 calls. Answers the
    seconds of each round from the last acknowledgement, or the restart, to the alert: without
    kills until it was delivered, with kills until it was written (a delivery that was cut off is
    repeated when its lease is over, see R29).
    """
    random = Random(seed)
    took = []
    names = [f"customer-{seed}-{number}" for number in range(rounds)]
    for name in names:
        threads, failures = _writers(server, account, name)
        if kill:
            time.sleep(random.uniform(0.0, 0.9))
            server.kill()
            server.start()
        for thread in threads:
            thread.join(_GIVE_UP_SECONDS)
        assert not failures, failures[0]
        acknowledged = datetime.now(UTC)
        delivered, written = _wait_until_told(receiver, name)
        took.append(((written if kill else delivered) - acknowledged).total_seconds())
    expected = {(kind, name) for kind in ("limit.reached", "limit.approaching") for name in names}
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while not expected <= {(kind, name) for kind, name, _ in _told(receiver)}:
        assert time.monotonic() < deadline, "some were never told"
        time.sleep(0.1)
    time.sleep(1.5)  # whatever would be told twice is told by now
    told = Counter((kind, name) for kind, name, _ in _told(receiver))
    mine = {key: count for key, count in told.items() if key[1] in names}
    assert mine == dict.fromkeys(expected, 1), {k: n for k, n in mine.items() if n != 1}
    assert max(took) <= MAX_SECONDS, f"{max(took):.1f} s until it was told"
    return took


def _writers(
    server: ServerProcess, account: TestAccount, name: str
) -> tuple[list[threading.Thread], list[BaseException]]:
    together = threading.Barrier(WRITERS)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        event = _call(name, number)
        try:
            together.wait(_GIVE_UP_SECONDS)
            _deliver(server.url, account.key, event)
        except BaseException as error:  # noqa: BLE001 - told by the caller
            failures.append(error)

    threads = [threading.Thread(target=write, args=(each,), daemon=True) for each in range(WRITERS)]
    for thread in threads:
        thread.start()
    return threads, failures


def _call(name: str, number: int) -> dict[str, Any]:
    return {
        "id": f"{name}-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "provider": "openai",
        "model": "gpt-4o",
        "entity_type": "customer",
        "entity_id": name,
        "cost_usd": 0.01,
    }


def _deliver(url: str, key: str, event: dict[str, Any]) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        client = Client(url, key, timeout_seconds=10)
        try:
            answer = client.post("/v1/events", {"events": [event]})
            if answer.status == 200:
                result = answer.json()
                assert result["accepted"] + result["duplicates"] == 1, result
                return
            assert answer.status == 503, answer
        except CONNECTION_ERRORS:
            pass
        finally:
            client.close()
        assert time.monotonic() < deadline, "the server does not take the event"
        time.sleep(_RETRY_SECONDS)


def _told(receiver: Receiver) -> dict[tuple[str, str, str], datetime]:
    """When each (type, entity, message) was written: an attempt that is repeated counts once."""
    found = {}
    for headers, body in list(receiver.got):
        message = json.loads(body)
        key = (message["type"], message["data"]["entity_id"], headers["webhook-id"])
        found[key] = datetime.fromisoformat(message["timestamp"])
    return found


def _wait_until_told(receiver: Receiver, name: str) -> tuple[datetime, datetime]:
    """When `limit.reached` was delivered, and when it was written."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while True:
        for (kind, who, _), written in _told(receiver).items():
            if (kind, who) == ("limit.reached", name):
                return datetime.now(UTC), written
        assert time.monotonic() < deadline, f"{name} was never told of"
        time.sleep(0.02)
