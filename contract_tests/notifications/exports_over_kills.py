"""R35: a server that is killed while it writes exports: whole files behind links, or none."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import httpx2
import pyarrow.parquet as pq

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.large_export import workbook_sum

FORMATS: Final = ("csv", "json", "parquet", "xlsx")
_BATCH: Final = 1_000
_RANGE: Final = {"start_date": "2025-01-01", "end_date": "2025-01-31"}
_POLL_SECONDS: Final = 0.5
_STILL_SECONDS: Final = 90
"""Without a row written or an export ended anywhere: more than the longest wait for an attempt."""


class KilledExports(NamedTuple):
    """Exports that were asked for, and how they ended."""

    asked: int
    completed: int
    failed: int


def export_over_kills(
    server: ServerProcess, seed: int, *, events: int, kills: int
) -> KilledExports:
    """Store events, export them in every format, and kill the server so often.

    AssertionError if a file behind a link is not whole, or an export neither completes nor fails.
    """
    account = server.add_account("exports")
    chance = Random(seed)
    client = server.client(account)
    for first in range(0, events, _BATCH):
        client.ingest([_event(number) for number in range(first, min(first + _BATCH, events))])
    total = _total(client)
    asked: list[str] = []
    read: dict[str, str] = {}
    for _ in range(kills):
        for file_format in chance.sample(FORMATS, 2):
            made = client.post("/v1/exports", {**_RANGE, "format": file_format})
            if made.status == 409:  # twenty are under way
                break
            assert made.status == 201, made
            asked.append(made.json()["id"])
        _wait_a_moment(server, chance)
        client.close()
        server.kill()
        _check_folder(server.data_dir / "exports", asked)
        server.start()
        client = server.client(account)
        _check_links(client, asked, events, total, read)
    _wait_for_all(client, asked)
    _check_links(client, asked, events, total, read)
    client.close()
    assert read, "none was completed"
    return KilledExports(len(asked), len(read), len(asked) - len(read))


def _event(number: int) -> dict[str, Any]:
    return {
        "id": f"call-{number}",
        "timestamp": f"2025-01-{1 + number % 28:02}T10:30:00Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 150 + number,
        "output_tokens": 500,
        "entity_type": "customer",
        "entity_id": f"customer-{number % 50}",
        "tags": {"feature": "chat", "n": str(number % 9)},
    }


def _total(client: Client) -> Decimal:
    usage = client.ok("/v1/usage?start_date=2025-01-01&end_date=2025-01-31&interval=none")
    return Decimal(str(usage["totals"]["cost_usd"]))


def _wait_a_moment(server: ServerProcess, chance: Random) -> None:
    """Until a working file is there and has grown a little, or for some milliseconds."""
    folder = server.data_dir / "exports"
    wanted = chance.choice((0, 1, 100_000, 1_000_000))
    deadline = time.monotonic() + chance.uniform(0, 1.5)
    while time.monotonic() < deadline:
        sizes = [_size(path) for path in folder.glob("*.partial")] if folder.exists() else []
        if wanted and any(size >= wanted for size in sizes):
            return
        time.sleep(0.005)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _wait_for_all(client: Client, asked: list[str]) -> None:
    """Until each export has ended. AssertionError when none of them gets on for a while."""
    before: dict[str, tuple[str, int]] = {}
    moved = time.monotonic()
    while True:
        exports = client.ok("/v1/exports?limit=1000")["data"]
        now = {each["id"]: (each["status"], each["rows_written"]) for each in exports}
        assert set(now) == set(asked)
        if all(status != "processing" for status, _ in now.values()):
            return
        if now != before:
            before, moved = now, time.monotonic()
        assert time.monotonic() < moved + _STILL_SECONDS, ("no export gets on", now)
        time.sleep(_POLL_SECONDS)


def _check_folder(folder: Path, asked: list[str]) -> None:
    """What has an export's own name is whole; the rest is called partial."""
    for path in folder.glob("*") if folder.exists() else ():
        export_id, _, ending = path.name.partition(".")
        assert export_id in asked
        assert ending in FORMATS or path.name.endswith(".partial"), path.name


def _check_links(
    client: Client, asked: list[str], events: int, total: Decimal, read: dict[str, str]
) -> None:
    """Fetch every file that a link leads to; it is whole, and stays as it was when it was `read`.

    `read`: digests by export, of the files whose rows were counted and summed.
    """
    for export_id in asked:
        export = client.ok(f"/v1/exports/{export_id}")
        assert (export["download_url"] is None) == (export["status"] != "completed"), export
        if export["status"] == "failed":
            assert export["error"] == "The worker stopped in every attempt", export
        if export["download_url"] is None:
            assert export_id not in read, export
            continue
        file = httpx2.get(export["download_url"], timeout=60)
        assert file.status_code == 200, export
        assert len(file.content) == export["size_bytes"]
        digest = hashlib.sha256(file.content).hexdigest()
        if export_id not in read:
            assert _READERS[export["format"]](file.content) == (events, total), export
        assert read.setdefault(export_id, digest) == digest, export


def _csv(content: bytes) -> tuple[int, Decimal]:
    costs = [Decimal(row["cost_usd"]) for row in csv.DictReader(io.StringIO(content.decode()))]
    return len(costs), sum(costs, Decimal())


def _json(content: bytes) -> tuple[int, Decimal]:
    costs = [
        Decimal(str(json.loads(line, parse_float=Decimal)["cost_usd"]))
        for line in content.splitlines()
    ]
    return len(costs), sum(costs, Decimal())


def _parquet(content: bytes) -> tuple[int, Decimal]:
    costs = pq.read_table(io.BytesIO(content)).column("cost_usd").to_pylist()
    return len(costs), sum(costs, Decimal())


def _xlsx(content: bytes) -> tuple[int, Decimal]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
    return workbook_sum(io.BytesIO(content))


_READERS: Final[dict[str, Callable[[bytes], tuple[int, Decimal]]]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
    "xlsx": _xlsx,
}
