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
    """With a cache of its own: `make check` follows more of the same modules."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", "sdk/tests/typed_calls.ini"),
            *("--cache-dir", ".mypy_cache/typed_calls", "sdk/tests/typed_calls.py"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
