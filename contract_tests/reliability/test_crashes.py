"""The server dies and is told to end, under load: nothing acknowledged is lost or doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract_tests.harness.seeds import seed_or
from contract_tests.harness.server_process import ServerProcess
from contract_tests.reliability.crashes import (
    crash_cycles,
    kill_between_write_and_answer,
    store_many,
    terminate_cycles,
)

SEED = seed_or(20260101)


@pytest.mark.timeout(180)
def test_r1_r4_kill_9_under_writers_loses_and_doubles_nothing(own_server: ServerProcess) -> None:
    """R1, R4: after each kill 0 missing, 0 doubled, and every sum equals the oracle's."""
    account = own_server.add_account("crash")
    assert crash_cycles(own_server, account, seed=SEED, cycles=3) >= 700


def test_r5_sigterm_under_load_cuts_no_accepted_request(own_server: ServerProcess) -> None:
    """R5: what was accepted is answered, the end comes within 10 s, nothing is lost."""
    account = own_server.add_account("term")
    assert max(terminate_cycles(own_server, account, seed=SEED, cycles=2)) <= 10


def test_r6_many_events_are_ready_again_soon_after_kill_9(tmp_path: Path) -> None:
    """R6, small: with 15,000 events stored, ready again within 10 s of a kill -9."""
    with ServerProcess(tmp_path, forked=False) as server:
        client = server.client(server.add_account("many"))
        store_many(client, seed=SEED, events=15_000)
        assert server.restart() <= 10
        client.close()  # the connection went with the process
        assert client.ok("/v1/usage")["totals"]["events"] == 15_000


def test_r7_a_kill_between_write_and_answer_counts_once(own_server: ServerProcess) -> None:
    """R7: a batch whose answer was lost with the process is sent again and counts once."""
    account = own_server.add_account("between")
    assert kill_between_write_and_answer(own_server, account, seed=SEED, rounds=3) == 3
