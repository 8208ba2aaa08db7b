"""Exports: the file is the events, exactly, of one snapshot, and runs nothing."""

from __future__ import annotations

import csv
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from contract_tests.event_store.cut_exports import CUTS_EACH, WRITERS, cut_again_and_again
from contract_tests.event_store.engines import open_duckdb
from contract_tests.event_store.samples import NOON, event, tags_text
from contract_tests.harness.forked import run_forked
from infraprism_server.errors import Unavailable
from infraprism_server.event_store.contract import EventFilter, EventStore, UsageQuery
from infraprism_server.event_store.duckdb.block_cache import BlockCache
from infraprism_server.event_store.export_columns import EXPORT_COLUMNS

FORMATS = ("csv", "json", "parquet")
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]


def nothing(_: float) -> None:
    """Progress that nobody watches."""


def read(path: Path, file_format: str) -> list[dict[str, Any]]:
    if file_format == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if file_format == "json":
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line, parse_float=Decimal) for line in lines]
    return pq.read_table(path).to_pylist()


def some_events() -> list[Any]:
    return [
        event(0, tags=tags_text({"env": "prod", 'a"b': "é,;"}), latency_ms=12, session_id="s 1"),
        event(1, cost_pico=1, entity_type=None, entity_id=None, success=False, error_type="x"),
        event(2, id='mine,"2"', timestamp_us=NOON + 123_456, service_tier="batch"),
        event(3, cost_source="reported", cost_pico=5, computed_cost_pico=7, rate_id=None),
        event(4, cost_source="unpriced", cost_pico=0, rate_id=None, model="new"),
        event(5, cost_pico=999_999_999_999_999_999),
    ]


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_event_is_there_with_every_column(
    store: EventStore, account: int, next_account, tmp_path: Path, file_format: str
) -> None:
    store.append(account, some_events()).result()
    store.append(next(next_account), [event(0, model="secret")]).result()
    path = tmp_path / "out"
    assert store.export(EventFilter(account=account), file_format, path, nothing) == 6
    rows = {row["id"]: row for row in read(path, file_format)}
    assert len(rows) == 6
    for stored in some_events():
        row = rows[stored.id]
        assert tuple(row) == EXPORT_COLUMNS
        assert Decimal(str(row["cost_usd"])) == Decimal(stored.cost_pico).scaleb(-12)
        assert int(row["total_tokens"]) == stored.input_tokens + stored.output_tokens
        assert row["model"] == stored.model
        assert (row["entity_id"] or None) == stored.entity_id
        assert row["cost_source"] == stored.cost_source
        assert row["service_tier"] == stored.service_tier
        assert str(row["success"]).lower() == str(stored.success).lower()
        tags = row["tags"] if isinstance(row["tags"], dict) else json.loads(row["tags"])
        assert tags == json.loads(stored.tags or "{}")
    assert Decimal(str(rows[some_events()[3].id]["computed_cost_usd"])) == Decimal("7e-12")
    if file_format != "parquet":
        assert rows['mine,"2"']["timestamp"] == "2026-03-01T12:00:00.123456Z"
        assert rows[some_events()[1].id]["timestamp"] == "2026-03-01T12:00:01Z"
    else:
        assert rows['mine,"2"']["timestamp"].isoformat() == "2026-03-01T12:00:00.123456+00:00"


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": "new"}, 1),
        ({"model": "unknown"}, 0),
        ({"success": False}, 1),
        ({"tags": (("env", "prod"),)}, 1),
        ({"start_us": NOON + 1_000_000, "end_us": NOON + 3_000_000}, 1),
        ({"entity_type": "customer", "entity_id": "acme"}, 5),
        ({"entity_type": "team"}, 0),
    ],
)
def test_the_filters_are_those_of_lists(
    store: EventStore, account: int, *, tmp_path: Path, file_format, fields, expected: int
) -> None:
    store.append(account, some_events()).result()
    where = EventFilter(account=account, **fields)
    path = tmp_path / "out"
    assert store.export(where, file_format, path, nothing) == expected
    assert len(read(path, file_format)) == expected == store.list_events(where, limit=1).total


NASTY = ['a"b', "a,b", "a\nb", "a\r\nb", '"', "é\x01;", "'=1", " x ", '=1,"2"\n']


@pytest.mark.parametrize("file_format", FORMATS)
def test_texts_with_quotes_commas_and_lines_come_back(
    store: EventStore, account: int, tmp_path: Path, file_format: str
) -> None:
    names = ("session_id", "entity_id", "model", "provider", "error_type", "error_code")
    fields = [(name, text) for name in names for text in NASTY]
    made = [event(number, **{name: text}) for number, (name, text) in enumerate(fields)]
    store.append(account, made).result()
    path = tmp_path / "out"
    store.export(EventFilter(account=account), file_format, path, nothing)
    rows = {row["id"]: row for row in read(path, file_format)}
    for stored, (name, text) in zip(made, fields, strict=True):
        runs = file_format == "csv" and text.startswith("=")
        assert rows[stored.id][name] == ("'" if runs else "") + text


@pytest.mark.parametrize("pico", [0, 1, 10**18 - 1, 10**18, 10**18 + 1, 9_000_000_000_000_000_001])
def test_every_digit_of_an_amount_is_in_a_csv(
    store: EventStore, account: int, tmp_path: Path, pico: int
) -> None:
    store.append(
        account,
        [event(0, cost_source="reported", cost_pico=pico, computed_cost_pico=pico, rate_id=None)],
    ).result()
    path = tmp_path / "out"
    store.export(EventFilter(account=account), "csv", path, nothing)
    (row,) = read(path, "csv")
    dollars = f"{pico // 10**12}.{pico % 10**12:012d}"
    assert (row["cost_usd"], row["computed_cost_usd"]) == (dollars, dollars)


def test_r34_no_text_in_a_csv_is_run_by_a_spreadsheet(
    store: EventStore, account: int, tmp_path: Path
) -> None:
    texts = ("id", "model", "provider", "entity_id", "session_id", "error_type", "error_code")
    made = [
        event(place * 100 + number, **{name: formula})
        for place, name in enumerate(texts)
        for number, formula in enumerate(FORMULAS)
        if name != "id"
    ]
    made += [event(9_000 + number, id=formula) for number, formula in enumerate(FORMULAS)]
    store.append(account, made).result()
    path = tmp_path / "out.csv"
    store.export(EventFilter(account=account), "csv", path, nothing)
    rows = read(path, "csv")
    assert len(rows) == len(made)
    cells = [row[name] for row in rows for name in texts]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert {cell[1:] for cell in cells if cell.startswith("'")} == set(FORMULAS)


@pytest.mark.parametrize("file_format", FORMATS)
def test_r35_sums_are_those_of_usage_while_events_arrive(
    store: EventStore, account: int, tmp_path: Path, file_format: str
) -> None:
    store.append(account, [event(number, cost_pico=number) for number in range(1_000)]).result()
    done = threading.Event()

    def write() -> None:
        for number in range(1_000, 2_000, 50):
            store.append(
                account, [event(n, cost_pico=n) for n in range(number, number + 50)]
            ).result()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    path = tmp_path / "out"
    rows = store.export(EventFilter(account=account), file_format, path, nothing)
    writer.join()
    assert done.is_set()
    ids = {row["id"] for row in read(path, file_format)}
    assert 1_000 <= rows == len(ids) <= 2_000
    assert rows % 50 == 0, "a batch is there whole or not at all"
    final = tmp_path / "final"
    store.export(EventFilter(account=account), file_format, final, nothing)
    total = sum(Decimal(str(row["cost_usd"])) for row in read(final, file_format))
    usage = store.usage(UsageQuery(filter=EventFilter(account=account), bounds_us=(0, NOON * 2)))
    assert total == Decimal(usage.totals.cost_pico).scaleb(-12)


def test_a_full_disk_is_said(store: EventStore, account: int) -> None:
    store.append(account, [event(number) for number in range(200)]).result()
    with pytest.raises(Unavailable, match="is the disk full"):
        store.export(EventFilter(account=account), "csv", Path("/dev/full"), nothing)


def test_a_path_with_a_quote_is_a_path(store: EventStore, account: int, tmp_path: Path) -> None:
    store.append(account, [event(1)]).result()
    path = tmp_path / "it's"
    assert store.export(EventFilter(account=account), "csv", path, nothing) == 1
    assert path.exists()


def test_what_progress_raises_ends_the_export_and_the_store_goes_on(tmp_path: Path) -> None:
    class Cancelled(Exception):
        """The caller's own."""

    def cancel(part: float) -> None:
        assert 0 <= part <= 1
        raise Cancelled

    store = open_duckdb(tmp_path)
    for start in range(0, 300_000, 50_000):
        tags = tags_text({"start": str(start)})
        store.append(1, [event(start + n, tags=tags) for n in range(50_000)]).result()
    try:
        for file_format in FORMATS:
            began = time.monotonic()
            path = tmp_path / f"cut.{file_format}"
            slow = _slow_disk(path) if file_format != "parquet" else nullcontext()
            with slow, pytest.raises(Cancelled):  # or it could be whole before anyone was asked
                store.export(EventFilter(account=1), file_format, path, cancel)
            assert time.monotonic() - began < 5
            assert store.list_events(EventFilter(account=1), limit=1).total == 300_000
        whole = tmp_path / "whole"
        assert store.export(EventFilter(account=1), "csv", whole, nothing) == 300_000
    finally:
        store.close(10)


def test_files_of_parquet_that_are_cut_short_wait_for_nothing(tmp_path: Path) -> None:
    """DuckDB 2.0 waited for itself for ever: see `async_threads` in database.py."""
    done = run_forked(cut_again_and_again, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > WRITERS * CUTS_EACH // 2


@contextmanager
def _slow_disk(path: Path) -> Iterator[None]:
    """A pipe that is read only after a while; a writer may come to it or not."""
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    done = threading.Event()

    def read() -> None:
        done.wait(0.6)
        while not done.is_set():
            with suppress(BlockingIOError):
                os.read(descriptor, 1 << 20)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()
        os.close(descriptor)


def test_r35_an_export_leaves_no_more_in_memory_than_it_may(tmp_path: Path) -> None:
    """The cache of the file's blocks, on a plain table that is larger than what it may grow by."""
    connection = duckdb.connect(str(tmp_path / "x.duckdb"), config={"memory_limit": "700MB"})
    connection.execute(
        "CREATE TABLE t AS SELECT random() AS a, random() AS b FROM range(2_000_000)"
    )
    connection.execute("CHECKPOINT")
    connection.close()
    connection = duckdb.connect(str(tmp_path / "x.duckdb"), config={"memory_limit": "700MB"})
    limit = "SELECT current_setting('memory_limit')"
    before = connection.execute(limit).fetchall()
    cached = "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'BASE_TABLE'"
    with BlockCache(connection, "700MB", growth_bytes=8 << 20) as cache:
        connection.execute("SELECT sum(a), sum(b) FROM t").fetchall()
        ((grown,),) = connection.execute(cached).fetchall()
        cache.trim()
        ((trimmed,),) = connection.execute(cached).fetchall()
    assert grown > 16 << 20 > 9 << 20 > trimmed
    assert connection.execute(limit).fetchall() == before
    ((rows,),) = connection.execute("SELECT count(a + b) FROM t").fetchall()
    assert rows == 2_000_000
    connection.close()
