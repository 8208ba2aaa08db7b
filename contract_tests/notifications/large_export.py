"""R35 at size: memory stays flat while many events are written, and the sums are the API's."""

from __future__ import annotations

import re
import time
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import duckdb
import httpx2

from benchmarks.loading import LoadOrder, load_in_child
from contract_tests.harness.server_process import ServerProcess
from infraprism_server.event_store.export_columns import EXPORT_COLUMNS
from infraprism_server.exports.sheet_rows import column_letters

ABOVE_IDLE_BYTES = 200_000_000
_POLL_SECONDS = 0.1
_CHUNK_BYTES = 1 << 20
_COST_CELL: Final = re.compile(
    f'<c r="{column_letters(EXPORT_COLUMNS.index("cost_usd"))}[0-9]+"><v>([^<]+)</v>'.encode()
)


class LargeExport(NamedTuple):
    """What it took: the highest memory above idle, and how long until it was completed."""

    above_bytes: int
    seconds: float


def export_many(
    server: ServerProcess, seed: int, *, events: int, file_format: str, seconds: float
) -> LargeExport:
    """Load so many events and export them all."""
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
    began = time.monotonic()
    deadline = began + seconds
    while export["status"] == "processing":
        assert time.monotonic() < deadline, export
        time.sleep(_POLL_SECONDS)
        highest = max(highest, server.resident_bytes())
        export = client.ok(f"/v1/exports/{asked.json()['id']}")
        seen.append(export["rows_written"])
    took = time.monotonic() - began
    client.close()
    assert export["status"] == "completed", export
    assert export["rows_written"] == export["rows_total"] == events
    assert seen == sorted(seen), "progress went back"
    file = server.folder / f"downloaded.{file_format}"
    _download(export["download_url"], file)
    assert file.stat().st_size == export["size_bytes"]
    total = _SUMS[file_format](file)
    assert total == (events, Decimal(str(usage["totals"]["cost_usd"])))
    return LargeExport(highest - idle, took)


def _download(link: str, file: Path) -> None:
    with httpx2.stream("GET", link, timeout=60) as answer, file.open("wb") as target:
        assert answer.status_code == 200
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            target.write(chunk)


def _csv_sum(file: Path) -> tuple[int, Decimal]:
    """Rows of a csv and the sum of their costs, read by other code than ours."""
    query = "SELECT count(*), sum(cost_usd::DECIMAL(30, 12)) FROM read_csv(?, all_varchar = true)"
    ((rows, cost),) = duckdb.sql(query, params=[str(file)]).fetchall()
    return rows, cost


def workbook_sum(file: Path | BinaryIO) -> tuple[int, Decimal]:
    """Rows below the names of a workbook's sheet, and the sum of their costs, in all digits."""
    rows, total = 0, Decimal()
    with zipfile.ZipFile(file) as book, book.open("xl/worksheets/sheet1.xml") as sheet:
        rest = b""
        while chunk := sheet.read(_CHUNK_BYTES):
            whole, end, rest = (rest + chunk).rpartition(b"</row>")
            costs = _COST_CELL.findall(whole)
            rows += whole.count(b"</row>") + len(end) // len(b"</row>")
            total += sum((Decimal(cost.decode()) for cost in costs), Decimal())
    return rows - 1, total


_SUMS: Final = {"csv": _csv_sum, "xlsx": workbook_sum}
