"""Every example runs, and its cost shows on the running server within two seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contract_tests.sdk.conftest import Server
from sdk.tests.environments import python_of, variables

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    path.stem for path in (ROOT / "examples").glob("*.py") if path.stem != "shown_cost"
)


FRAMEWORKS = {"langchain_chat", "pydantic_ai_agent"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_shows_its_cost(reporting: Server, name: str) -> None:
    python = python_of("frameworks") if name in FRAMEWORKS else sys.executable
    ran = subprocess.run(
        [python, "-m", f"examples.{name}"],
        cwd=ROOT,
        env=variables(
            **{name: os.environ[name] for name in os.environ if name.startswith("INFRAPRISM_")}
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "dollars" in ran.stdout
    assert " 0 dollars" not in ran.stdout
