"""Kill -9 and SIGTERM under writers, as often as asked: the scenarios of R1, R4, R5 and R7."""

from __future__ import annotations

import http.client
import time
from random import Random
from typing import Any

from contract_tests.harness.client import Client, to_json
from contract_tests.harness.load import writing
from contract_tests.harness.oracle import Journal, verify
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.harness.traffic import batch

WRITERS = 4
MAX_EXIT_SECONDS = 10.0
UNAVOIDABLE_SECONDS = 0.05
"""A request may leave the client while the server closes the idle connection it leaves on; HTTP/1.1
has no word for that. Those that left earlier than this before the signal must be answered."""


def crash_cycles(server: ServerProcess, account: TestAccount, *, seed: int, cycles: int) -> int:
    """R1, R4: kill at a random moment under 4 writers, verify everything; acknowledged events."""
    random = Random(seed)
    journal = Journal()
    for cycle in range(cycles):
        with writing(
            server.url,
            account.key,
            journal,
            seed=seed * 997 + cycle,
            writers=WRITERS,
            run=f"s{seed}c{cycle}",
        ) as threads:
            time.sleep(random.uniform(0.3, 1.5))
            server.kill()
            server.start()
            time.sleep(random.uniform(0.05, 0.4))  # what was cut is sent again, to a new process
        assert sum(thread.batches for thread in threads) > 0, "no batch was acknowledged"
        client = server.client(account)
        verify(journal, client)
        client.close()
    return len(journal.acknowledged)


def terminate_cycles(
    server: ServerProcess, account: TestAccount, *, seed: int, cycles: int
) -> list[float]:
    """R5: SIGTERM under 4 writers; seconds that each end took."""
    random = Random(seed)
    journal = Journal()
    took = []
    for cycle in range(cycles):
        with writing(
            server.url,
            account.key,
            journal,
            seed=seed * 991 + cycle,
            writers=WRITERS,
            run=f"t{seed}c{cycle}",
        ) as threads:
            time.sleep(random.uniform(0.3, 1.0))
            signalled = time.monotonic()
            status, seconds = server.terminate()
            server.start()
        assert status == 0, f"exit status {status}:\n{server.log()}"
        assert seconds <= MAX_EXIT_SECONDS, f"{seconds:.1f} s until the end"
        took.append(seconds)
        early = [
            started
            for thread in threads
            for started in thread.cut_after_sending
            if started < signalled - UNAVOIDABLE_SECONDS
        ]
        assert not early, f"{len(early)} accepted requests were cut"
        client = server.client(account)
        verify(journal, client)
        client.close()
    return took


def kill_between_write_and_answer(
    server: ServerProcess, account: TestAccount, *, seed: int, rounds: int
) -> int:
    """R7: the answer never comes, the batch is sent again: it counts once. Rounds done."""
    random = Random(seed)
    for number in range(rounds):
        journal = Journal()
        session = f"kill-{seed}-{number}"
        events = [each | {"session_id": session} for each in batch(random, session, 20)]
        journal.send(events)
        unread = _send_without_reading(server, account, events)
        time.sleep(random.choice([0.0, 0.002, 0.005, 0.01, 0.02, 0.05]))
        server.restart()
        unread.close()
        client = server.client(account)
        before = client.ok("/v1/events", {"session_id": session})["pagination"]["total"]
        assert before in (0, len(events)), f"{before} of {len(events)}: half a batch"
        result = client.ingest(events)
        assert result["accepted"] == len(events) - before, result
        assert result["duplicates"] == before, result
        after = client.ok("/v1/usage", {"session_id": session})["totals"]["events"]
        assert after == len(events)
        client.close()
    return rounds


def _send_without_reading(
    server: ServerProcess, account: TestAccount, events: list[dict[str, Any]]
) -> http.client.HTTPConnection:
    """The connection stays open: a server may give up a request whose client went away."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(
        "POST",
        "/v1/events",
        body=to_json({"events": events}),
        headers={"Authorization": f"Bearer {account.key}", "Content-Type": "application/json"},
    )
    return connection


def store_many(client: Client, *, seed: int, events: int) -> None:
    """R6: as many events as asked, in the largest batches there are."""
    random = Random(seed)
    for number in range(0, events, 1000):
        client.ingest(batch(random, f"many-{seed}-{number}", 1000))
