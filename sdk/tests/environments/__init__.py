"""Environments of their own: each major of the providers' clients, lowest and newest; frameworks.

    python -m sdk.tests.environments          # the whole tests of the providers in each of them
    python -m sdk.tests.environments --lock   # look for newer versions

An environment is made by uv once under `.venv/environments/` and made anew when its list of
versions changes. The newest of all is what `requirements.lock` has: the tests themselves.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
TOOLS = ["pytest", "hypothesis", "httpx2>=2.16"]

WANTED = {
    "oldest": ["openai==1.40.0", "anthropic==0.40.0", "httpx<0.28"],
    "openai1": ["openai<2", "anthropic<1"],
    "openai2-first": ["openai==2.0.0", "anthropic==1.0.0"],
    "openai2": ["openai<3", "anthropic<2"],
    "openai3-first": ["openai==3.0.0", "anthropic==2.0.0"],
    "frameworks": [
        "openai>=3",
        "anthropic>=2",
        "langchain-openai",
        "langchain-anthropic",
        "pydantic-ai-slim[openai,anthropic]",
    ],
}
PROVIDERS = [name for name in WANTED if name != "frameworks"]


def python_of(name: str) -> Path:
    """The interpreter of an environment, which is made first where it is not there."""
    folder = Path(sys.prefix) / "environments" / name
    versions = HERE / f"{name}.txt"
    stamp = folder / "made-from"
    digest = hashlib.sha256(versions.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == digest):
        run(uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        run(uv(), "pip", "sync", "--quiet", "--python", str(python), str(versions))
        stamp.write_text(digest)
    return python


def variables(**more: str) -> dict[str, str]:
    """For a child of one of them: none of ours but `more`, and what it compiles is kept."""
    left_out = ("INFRAPRISM_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONPATH": f"{ROOT / 'sdk' / 'src'}:{ROOT}", **more}


def uv() -> str:
    return str(Path(sys.executable).parent / "uv")


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def lock() -> None:
    """Write down the versions of each environment, without addresses."""
    for name, wanted in WANTED.items():
        done = subprocess.run(
            [
                *(uv(), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
                *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
                *("-", "-o", str(HERE / f"{name}.txt")),
            ],
            input="\n".join(wanted + TOOLS),
            text=True,
            check=True,
        )
        assert done.returncode == 0
