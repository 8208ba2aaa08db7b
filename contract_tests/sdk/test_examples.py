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
ALONE = {*FRAMEWORKS, "openai_chat"}
OTHERS = sorted(set(EXAMPLES) - ALONE)
STARTS = "--- "
PROGRAM = """
import runpy, sys
for name in sys.argv[1:]:
    print(STARTS, name)
    runpy.run_module(f"examples.{name}", run_name="__main__")
""".replace("STARTS", repr(STARTS))


@pytest.mark.parametrize("name", sorted(ALONE))
def test_an_example_shows_its_cost(reporting: Server, name: str) -> None:
    python = python_of("frameworks") if name in FRAMEWORKS else Path(sys.executable)
    assert_cost(told_by(str(python), "-m", f"examples.{name}"))


def test_the_others_show_theirs_in_one_program(reporting: Server) -> None:
    """To import the providers' clients takes longer than what the examples do with them."""
    _, *told = told_by(sys.executable, "-c", PROGRAM, *OTHERS).split(STARTS)
    assert [each.split()[0] for each in told] == OTHERS
    for each in told:
        assert_cost(each)


def told_by(*command: str) -> str:
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=variables(
            **{name: os.environ[name] for name in os.environ if name.startswith("INFRAPRISM_")}
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def assert_cost(told: str) -> None:
    assert "dollars" in told
    assert " 0 dollars" not in told
