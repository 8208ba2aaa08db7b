"""The long form is there and plays: one short round from a seed."""

from __future__ import annotations

import pytest

from contract_tests.soak import main
from contract_tests.soak_rounds import ROUNDS


def test_a_round_is_played_from_its_seed(capfd: pytest.CaptureFixture[str]) -> None:
    """`make soak` prints attempts, failures and the seed that replays them."""
    assert main(["--seed", "5", "--only", "edge-times", "--once", "--length", "0.1"]) == 0
    out = capfd.readouterr().out
    assert "edge-times seed 5: 1,000 attempts" in out
    assert "1 rounds, 0 failures, seed 5" in out


def test_every_long_form_says_which_requirement_it_shows() -> None:
    """R-numbers, by docstring."""
    assert all((each.__doc__ or "").startswith("R") for each in ROUNDS.values())
