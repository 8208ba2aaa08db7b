"""The committed OpenAPI document: `python -m contract_tests.contract.snapshot` renews it.

It refuses to forget what a client may use, unless it is told to with `--break-clients`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contract_tests.contract.openapi_compat import breaking_changes
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess

SNAPSHOT = Path(__file__).with_name("openapi_snapshot.json")
RENEW = ".venv/bin/python -m contract_tests.contract.snapshot"
_INCIDENTAL = ("servers", "info")
"""Addresses and versions: no part of what a client relies on."""


def served(client: Client) -> dict[str, Any]:
    """The running server's document without what differs from machine to machine."""
    document = json.loads(client.get("/v1/openapi.json").body)
    return {name: value for name, value in document.items() if name not in _INCIDENTAL}


def committed() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return document


def main(arguments: list[str]) -> int:
    """Write the document of a server started here; 1 when that would break clients."""
    with TemporaryDirectory() as folder, ServerProcess(Path(folder)) as server:
        document = served(server.client())
    broken = breaking_changes(committed(), document) if SNAPSHOT.exists() else []
    for line in broken:
        sys.stdout.write(f"breaks clients: {line}\n")
    if broken and "--break-clients" not in arguments:
        return 1
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    SNAPSHOT.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"written: {SNAPSHOT}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
