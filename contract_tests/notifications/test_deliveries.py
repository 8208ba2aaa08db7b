"""Deliveries over kills of the sender, in the short form of the soak."""

from __future__ import annotations

from pathlib import Path

from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.deliveries_over_kills import ENDPOINTS, deliver_over_kills
from contract_tests.notifications.hanging_endpoints import beside_hanging_ones


def test_r29_a_moody_receiver_and_a_killed_sender_lose_nothing(tmp_path: Path) -> None:
    tally = deliver_over_kills(tmp_path, seed=7, messages=120, kills=2)
    assert tally.requests > 120, "the receiver never failed"
    assert tally.doubled <= 2 * ENDPOINTS, "more than what was under way when it was killed"


def test_r30_a_healthy_endpoint_has_its_messages_while_others_hang(server: ServerProcess) -> None:
    """How soon is for the long form: here every message arrives while none of the others ends."""
    assert len(beside_hanging_ones(server, hanging=12, messages=20)) == 20
