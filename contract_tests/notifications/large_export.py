"""R35 at size: memory stays flat while many events are written, and the sums are the API's."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx2

from benchmarks.loading import LoadOrder, load_in_child
from contract_tests.harness.server_process import ServerProcess

ABOVE_IDLE_BYTES = 200_000_000
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 1 << 20


def export_many(
    server: ServerProcess, seed: int, *, events: int, file_format: str, seconds: float
) -> int:
    """Load so many events, export them all; highest memory above idle, in bytes."""
    account = server.add_account("large")
    server.kill()
    load_in_child(
        LoadOrder(
            data_dir=str(server.data_dir),
            floor_dir=None,
            account=account.email,
            events=events,
            end_us=time.time_ns() // 1_000,
            seed=seed,
        )
    )
    server.start()
    client = server.client(account)
    usage = client.ok("/v1/usage?start_date=2020-01-01&end_date=2030-01-01&interval=none")
    idle = highest = server.resident_bytes()
    asked = client.post(
        "/v1/exports",
        {"start_date": "2020-01-01", "end_date": "2030-01-01", "format": file_format},
    )
    assert asked.status == 201, asked
    export: dict[str, Any] = asked.json()
    seen: list[int] = []
    deadline = time.monotonic() + seconds
    while export["status"] == "processing":
        assert time.monotonic() < deadline, export
        time.sleep(_POLL_SECONDS)
        highest = max(highest, server.resident_bytes())
        export = client.ok(f"/v1/exports/{asked.json()['id']}")
        seen.append(export["rows_written"])
    client.close()
    assert export["status"] == "completed", export
    assert export["rows_written"] == export["rows_total"] == events
    assert seen == sorted(seen), "progress went back"
    file = server.folder / f"downloaded.{file_format}"
    _download(export["download_url"], file)
    assert file.stat().st_size == export["size_bytes"]
    assert _sum(file) == (events, Decimal(str(usage["totals"]["cost_usd"])))
    return highest - idle


def _download(link: str, file: Path) -> None:
    with httpx2.stream("GET", link, timeout=60) as answer, file.open("wb") as target:
        assert answer.status_code == 200
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            target.write(chunk)


def _sum(file: Path) -> tuple[int, Decimal]:
    """Rows of a csv and the sum of their costs, read by other code than ours."""
    query = "SELECT count(*), sum(cost_usd::DECIMAL(30, 12)) FROM read_csv(?, all_varchar = true)"
    ((rows, cost),) = duckdb.sql(query, params=[str(file)]).fetchall()
    return rows, cost
