"""A file is imported once however often it is sent, and slower plans are waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from contract_tests.harness.server_process import ServerProcess, TestAccount

INFRAPRISM = Path(sys.executable).parent / "infraprism"
HEADER = "timestamp,provider,model,input_tokens,output_tokens,entity_type,entity_id\n"
LINE = "2026-01-15T10:30:00Z,openai,gpt-4o,150,500,customer,acme-corp\n"


def import_file(server: ServerProcess, account: TestAccount, *arguments: str) -> tuple[int, dict]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("INFRAPRISM_")}
    done = subprocess.run(
        [INFRAPRISM, "import", *arguments, "--url", server.url, "--json", "--no-progress"],
        capture_output=True,
        text=True,
        env=environment | {"INFRAPRISM_API_KEY": account.key},
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_twice_counts_once_and_two_equal_calls_stay_two(
    server: ServerProcess, fresh_account: Callable[[], TestAccount], tmp_path: Path
) -> None:
    account = fresh_account()
    file = tmp_path / "calls.csv"
    other = LINE.replace("500", "501")
    file.write_text(HEADER + LINE + LINE + other)
    code, first = import_file(server, account, str(file))
    assert (code, first["accepted"], first["duplicates"]) == (0, 3, 0)
    code, second = import_file(server, account, str(file))
    assert (code, second["accepted"], second["duplicates"]) == (0, 0, 3)
    client = server.client(account)
    totals = client.get("/v1/usage").json()["totals"]
    client.close()
    assert (totals["events"], totals["output_tokens"]) == (3, 1_501)


def test_a_bad_line_is_rejected_with_its_reason_and_the_others_stay(
    server: ServerProcess, fresh_account: Callable[[], TestAccount], tmp_path: Path
) -> None:
    account = fresh_account()
    file, rejects = tmp_path / "calls.csv", tmp_path / "rejects.txt"
    file.write_text(HEADER + LINE + LINE.replace("150", "-1"))
    code, summary = import_file(server, account, str(file), "--rejects", str(rejects))
    assert code != 0
    assert (summary["accepted"], summary["rejected"]) == (1, 1)
    assert "input_tokens" in rejects.read_text()
