"""Limits are told of exactly once, within seconds, whoever crosses and whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.receiver import Receiver
from contract_tests.reliability.crossings import cross_at_once, watch_requests

SEED = 20260526


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, ENVIRONMENT) as running:
        yield running


@pytest.mark.parametrize(("rounds", "kill"), [(2, False), (3, True)])
def test_r26_fifty_writers_cross_at_once_and_it_is_told_once(
    telling: ServerProcess, rounds: int, kill: bool
) -> None:
    """R26, short: `limit.reached` exactly once per entity, within 5 s, over kills as well."""
    account = telling.add_account("crossing")
    with Receiver() as receiver:
        client = telling.client(account)
        watch_requests(client, receiver)
        client.close()
        assert (
            len(cross_at_once(telling, account, receiver, seed=SEED, rounds=rounds, kill=kill))
            == rounds
        )
