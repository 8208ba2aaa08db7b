"""The stubs are what the generator makes of the installed providers, and type checkers use them."""

from __future__ import annotations

import subprocess
import sys

from sdk.generate_stubs import generated
from sdk.tests.environments import ROOT


def test_the_stubs_are_what_the_generator_writes() -> None:
    for path, text in generated().items():
        assert path.exists(), f"write it: python -m sdk.generate_stubs ({path.name})"
        assert path.read_text() == text, f"renew it: python -m sdk.generate_stubs ({path.name})"


def test_a_type_checker_knows_the_providers_arguments_and_ours() -> None:
    """What `make check` has looked at already is not looked at again: one cache."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "sdk/tests/typed_calls.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
