"""The same calls sent again and again, in every way a client may: each counts once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from random import Random
from threading import Barrier, Event, Thread

from contract_tests.harness.client import Answer, Client
from contract_tests.harness.oracle import Journal, verify
from contract_tests.harness.seeds import seed_or
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.harness.traffic import batch

SEED = seed_or(7)
TIMES = 10


def _total(client: Client) -> int:
    listed = client.ok("/v1/events", {"limit": 1})["pagination"]["total"]
    assert client.ok("/v1/usage")["totals"]["events"] == listed
    return listed


def test_r7_ten_times_in_sequence_counts_once(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R7: the first is accepted, nine are duplicates, and every read in between sees one."""
    client = server.client(fresh_account())
    events = batch(Random(SEED), "again", 50)
    journal = Journal()
    journal.send(events)
    for number in range(TIMES):
        result = client.ingest(events)
        journal.acknowledge(events, result)
        assert result["accepted"] == (50 if number == 0 else 0)
        assert result["duplicates"] == (0 if number == 0 else 50)
        assert _total(client) == 50
    assert verify(journal, client) == 50


def test_r7_ten_at_once_count_once_and_never_twice_in_a_read(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R7: ten parallel sends of one batch; a reader beside them never sees more than one."""
    account = fresh_account()
    events = batch(Random(SEED + 1), "at-once", 200)
    barrier = Barrier(TIMES)
    done = Event()
    seen: list[int] = []

    def send(_: int) -> dict[str, int]:
        client = server.client(account)
        barrier.wait(20)
        return client.ingest(events)

    def read() -> None:
        client = server.client(account)
        while not done.is_set():
            seen.append(client.ok("/v1/usage")["totals"]["events"])
            seen.append(client.ok("/v1/events", {"limit": 1})["pagination"]["total"])

    reader = Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(TIMES) as pool:
        results = list(pool.map(send, range(TIMES)))
    done.set()
    reader.join(30)
    assert sum(result["accepted"] for result in results) == 200
    assert sum(result["duplicates"] for result in results) == 200 * (TIMES - 1)
    assert max(seen) <= 200
    assert _total(server.client(account)) == 200


def test_r7_over_a_restart_counts_once(own_server: ServerProcess) -> None:
    """R7: sent before a SIGTERM, after it and after a kill -9, it counts once."""
    client = own_server.client(own_server.add_account("restart"))
    events = batch(Random(SEED + 2), "restart", 60)
    assert client.ingest(events)["accepted"] == 60
    own_server.terminate()
    own_server.start()
    client.close()  # the connection went with the process
    assert client.ingest(events)["duplicates"] == 60
    own_server.restart()
    client.close()
    assert client.ingest(events)["duplicates"] == 60
    assert _total(client) == 60


def test_r8_an_id_counts_once_per_account(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R8: two accounts may use the same ids, with the same or other content."""
    one, other = server.client(fresh_account()), server.client(fresh_account())
    events = batch(Random(SEED + 3), "shared", 20)
    changed = [each | {"output_tokens": each["output_tokens"] + 1} for each in events]
    assert one.ingest(events)["accepted"] == 20
    assert other.ingest(changed)["accepted"] == 20
    assert one.ingest(events)["duplicates"] == 20
    assert _total(one) == _total(other) == 20


def test_r9_the_same_id_with_other_content_is_a_conflict_and_the_first_stays(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R9: each field that differs is a conflict; nothing of the second is stored."""
    client = server.client(fresh_account())
    first = {
        "id": "one-call",
        "timestamp": "2025-01-15T10:30:00Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 150,
        "output_tokens": 500,
        "cost_usd": Decimal("0.0065"),
    }
    assert client.ingest([first])["accepted"] == 1
    stored = client.ok("/v1/events/one-call")
    others = {
        "timestamp": "2025-01-15T10:30:00.000001Z",
        "provider": "azure",
        "model": "gpt-4o-mini",
        "input_tokens": 151,
        "output_tokens": 0,
        "cost_usd": Decimal("0.006500000001"),
        "latency_ms": 1,
        "tags": {"a": "b"},
        "session_id": "s",
        "success": False,
        "service_tier": "batch",
    }
    for field, value in others.items():
        result = client.ingest([first | {field: value}])
        assert result["accepted"] == result["duplicates"] == 0, field
        [rejected] = result["rejected"]
        assert rejected["error"]["code"] == "conflict", field
        assert rejected["error"]["param"] == "events[0].id", field
        assert client.ok("/v1/events/one-call") == stored, field


def test_r9_a_default_equals_absent(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R9: the same call spelled otherwise (offset, defaults, nulls, digits) is a duplicate."""
    client = server.client(fresh_account())
    sparse = {"id": "x", "timestamp": "2025-01-15T10:30:00Z", "provider": "p", "model": "m"}
    spelled = sparse | {
        "timestamp": "2025-01-15T11:30:00.000+01:00",
        "input_tokens": 0,
        "output_tokens": 0,
        "latency_ms": None,
        "entity_type": None,
        "entity_id": None,
        "tags": {},
        "success": True,
        "service_tier": "standard",
        "error_code": None,
    }
    assert client.ingest([sparse])["accepted"] == 1
    assert client.ingest([spelled, sparse])["duplicates"] == 2


def test_r10_one_idempotency_key_makes_one_object(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R10: 100 parallel creations with one key make one; another body with it is a conflict."""
    account = fresh_account()
    barrier = Barrier(10)
    headers = {"Idempotency-Key": "make-one"}

    def create(_: int) -> list[Answer]:
        client = server.client(account)
        barrier.wait(20)
        return [client.post("/v1/api-keys", {"name": "Staging"}, headers) for _ in range(10)]

    with ThreadPoolExecutor(10) as pool:
        answers = [each for some in pool.map(create, range(10)) for each in some]
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] + [409] * 99
    client = server.client(account)
    made = [key for key in client.ok("/v1/api-keys")["data"] if key["name"] == "Staging"]
    assert len(made) == 1
    # The secret is shown once: a replay is a conflict that names what was made.
    assert all(made[0]["id"] in each.error["message"] for each in answers if each.status == 409)
    other = client.post("/v1/api-keys", {"name": "Other"}, headers)
    assert (other.status, other.error["code"]) == (409, "conflict")
