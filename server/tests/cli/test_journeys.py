"""The installed command in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from infraprism_server.clock import FixedClock

INFRAPRISM = Path(sys.executable).with_name("infraprism")


def infraprism(data_dir: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "INFRAPRISM_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [INFRAPRISM, *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_answers_at_once_because_it_imports_nothing_large() -> None:
    program = (
        "import sys\n"
        "from infraprism_server.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "large = {'duckdb', 'litestar', 'sqlalchemy', 'pydantic', 'rich', 'alembic', 'msgspec'}\n"
        "sys.exit(', '.join(large & set(sys.modules)) or None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    for name in ("serve", "accounts", "keys", "import", "prices", "doctor"):
        assert f"\n  {name} " in done.stdout


def test_a_key_made_on_an_empty_folder_opens_the_account(data_dir: Path) -> None:
    args = ("--email", "ann@acme.example", "--name", "Ann", "--json")
    made = infraprism(data_dir, "accounts", "create", *args)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    answer = json.loads(made.stdout)
    assert data_dir.stat().st_mode & 0o777 == 0o700
    listed = infraprism(data_dir, "keys", "list", "--account", answer["account"]["id"])
    assert answer["api_key"][:6] in listed.stdout
    assert answer["api_key"] not in listed.stdout


def test_the_cli_works_beside_whoever_has_the_store_open(
    cast: Any, engine: Engine, data_dir: Path, clock: FixedClock
) -> None:
    """What the CLI does, this process, standing for the server, sees at once or in a second."""
    args = ("--account", "ann@acme.example", "--name", "x", "--json")
    made = json.loads(infraprism(data_dir, "keys", "create", *args).stdout)
    principal = cast.keys.authenticate(made["key"])
    assert principal.account == cast.ann.number
    deleted = infraprism(data_dir, "keys", "delete", made["id"], "--account", cast.ann.id)
    assert deleted.returncode == 0, deleted.stderr
    clock.advance(timedelta(milliseconds=901))
    assert cast.keys.authenticate(made["key"]) is None


def test_commands_at_once_on_an_empty_folder_all_succeed(data_dir: Path) -> None:
    def create(n: int) -> int:
        args = ("--email", f"a{n}@acme.example", "--name", f"A{n}")
        return infraprism(data_dir, "accounts", "create", *args).returncode

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(create, range(4))) == [0] * 4
    listed = json.loads(infraprism(data_dir, "accounts", "list", "--json").stdout)
    assert len(listed["data"]) == 4


def test_an_error_is_one_line_on_stderr(data_dir: Path) -> None:
    done = infraprism(
        data_dir, "accounts", "create", "--email", "a@b.example", "--name", "A", "--plan", "gold"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "Error: Unknown plan 'gold'; use one of free, growth, scale, enterprise\n"
    )
