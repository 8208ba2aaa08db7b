"""schemathesis' command line as a child process against a running server: R44."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.isolation.samples import one_event
from contract_tests.schema.hooks_environment import OWN_KEY, OWN_KEY_ID

COMMAND = Path(sys.executable).with_name("st")
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went: its exit status and everything it printed."""

    status: int
    output: str


def run(
    server: ServerProcess, folder: Path, *, seed: int, examples: int, timeout_seconds: float
) -> Run:
    """All checks in all phases, stateful too, with one key of a new account."""
    owner = server.client(server.add_account(f"schemathesis-{seed}-{examples}"))
    owner.ingest([one_event("acme") | {"id": "evt_123"}])
    key = owner.post("/v1/api-keys", {"name": "schemathesis"}).json()
    assert Client(server.url, key["key"]).get("/v1/me").status == 200
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "SCHEMATHESIS_HOOKS": "contract_tests.schema.hooks",
        OWN_KEY: key["key"],
        OWN_KEY_ID: key["id"],
    }
    done = subprocess.run(
        [
            *(str(COMMAND), "run", f"{server.url}/v1/openapi.json"),
            *("--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--generation-database", "none", "--continue-on-failure", "--no-color"),
            *("--request-timeout", "20"),
        ],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def assert_clean(result: Run) -> None:
    """No failure, and the run did look: a run of nothing but 401 would be clean as well."""
    assert result.status == 0, result.output[-12_000:]
    assert "Authentication failed" not in result.output, result.output[-4_000:]
    assert "Errored" not in result.output, result.output[-4_000:]
