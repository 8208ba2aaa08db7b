"""Retries in every order, and timestamps at every edge."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.reliability.edge_times import IMPOSSIBLE, OUT_OF_RANGE, check_edge_times
from contract_tests.reliability.interleavings import run_interleavings


def test_r11_interleavings_of_retries_end_in_one_state(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R11: whole, reversed, partial, doubled and conflicting re-sends over two connections."""
    account = fresh_account()
    clients = [server.client(account), server.client(account)]
    assert run_interleavings(clients, start=11, examples=20) >= 20


def test_r12_edge_timestamps_are_in_their_buckets(
    server: ServerProcess, fresh_account: Callable[[], TestAccount]
) -> None:
    """R12: clock changes, leap days, 1970, skipped days: right in every zone's day and month."""
    assert check_edge_times(server.client(fresh_account()), seed=12, amount=600) == 600


@pytest.mark.parametrize("timestamp", [*IMPOSSIBLE, *OUT_OF_RANGE])
def test_r12_impossible_and_far_timestamps_are_rejected_by_name(
    server: ServerProcess, account_a: TestAccount, timestamp: str
) -> None:
    """R12: no 5xx; the event is rejected, `param` is its timestamp."""
    event = {"timestamp": timestamp, "provider": "p", "model": "m"}
    result = server.client(account_a).ingest([event])
    assert result["accepted"] == 0
    [rejected] = result["rejected"]
    assert rejected["index"] == 0
    assert rejected["error"]["code"] == "invalid_request"
    assert rejected["error"]["param"] == "events[0].timestamp"
