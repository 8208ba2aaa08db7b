"""Exports from the question to the file, over cancels, crashes and expiry."""

from __future__ import annotations

import csv
import zipfile
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from infraprism_server.background.jobs import LEASE_SECONDS, MAX_ATTEMPTS
from infraprism_server.clock import MICROSECONDS_PER_DAY, from_us
from infraprism_server.control_store.tables import outbox
from infraprism_server.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from infraprism_server.event_store.contract import EventFilter, UsageQuery
from infraprism_server.exports.service import MAX_PROCESSING, ExportJob
from infraprism_server.exports.workbook import MAX_ROWS


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def messages(house) -> list[tuple[str, str]]:
    with house.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(outbox.c.type, outbox.c.data))]


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet", "xlsx"])
def test_an_export_is_processed_completed_and_told(house, file_format: str) -> None:
    house.events(120)
    house.events(3, house.other)
    export_id = house.ask(file_format)
    asked = house.service.get(house.account, export_id)
    assert (asked.status, asked.rows_total, asked.download_url) == ("processing", 120, None)
    assert house.worker().run_due() == 1
    made = house.service.get(house.account, export_id)
    assert (made.status, made.rows_written, made.rows_total) == ("completed", 120, 120)
    assert made.expires_at.us - made.completed_at.us == MICROSECONDS_PER_DAY
    file = house.file(made)
    assert file.name == f"{export_id}.{file_format}"
    assert file.stat().st_size == made.size_bytes
    assert file.stat().st_mode & 0o777 == 0o600
    ((kind, data),) = messages(house)
    assert kind == "export.completed"
    assert export_id in data
    assert made.download_url in data
    assert [path.name for path in house.folder.iterdir()] == [file.name]


def test_r35_the_sum_is_the_apis(house) -> None:
    house.events(500, cost_pico=123_456_789_012)
    rows = rows_of(house.file(house.made()))
    range_us = (house.clock.now_us() - 10**9, house.clock.now_us() + 10**9)
    usage = house.store.usage(
        UsageQuery(filter=EventFilter(account=house.account), bounds_us=range_us)
    )
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal(usage.totals.cost_pico).scaleb(
        -12
    )


def test_filters_and_dates_are_those_of_events(house) -> None:
    house.events(10)
    assert house.made(model="gpt-4o").rows_written == 10
    assert house.made(model="other").rows_written == 0
    assert house.made(start_date="2026-03-02").rows_written == 0
    with pytest.raises(InvalidRequest) as caught:
        house.ask(start_date="2026-04-02")
    assert caught.value.param == "start_date"


def test_r34_a_workbook_has_numbers_as_numbers_and_no_formula(house) -> None:
    house.events(3, entity_id="=1+1", session_id="@x", error_type="+1")
    with zipfile.ZipFile(house.file(house.made("xlsx"))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<t>'=1+1</t>" in sheet
    assert "<t>'@x</t>" in sheet
    assert "<v>0.000000000001</v>" in sheet


def test_a_workbook_beyond_its_bound_is_refused_before_work_begins(
    house,
) -> None:
    assert MAX_ROWS == 1_048_575
    house.events(6)
    house.bound_workbooks(5)
    with pytest.raises(InvalidRequest) as caught:
        house.ask("xlsx")
    assert caught.value.param == "format"
    assert house.made("csv").rows_written == 6


def test_another_account_sees_nothing_of_it(house) -> None:
    made = house.made()
    with pytest.raises(NotFound):
        house.service.get(house.other, made.id)
    with pytest.raises(NotFound):
        house.service.delete(house.other, made.id)
    assert house.service.page(house.other, 10, 0, None).total == 0
    assert house.file(made).exists()


def test_a_link_stops_at_expiry_and_the_file_is_removed(house) -> None:
    made = house.made()
    house.clock.advance(timedelta(days=1, seconds=-1))
    assert house.file(made).exists()
    house.clock.advance(timedelta(seconds=1))
    with pytest.raises(Forbidden):
        house.file(made)
    late = house.service.get(house.account, made.id)
    assert (late.status, late.download_url) == ("completed", None)
    assert late.expires_at.us == made.expires_at.us
    assert house.service.purge() == 1
    assert list(house.folder.iterdir()) == []
    assert house.service.purge() == 0
    assert from_us(late.expires_at.us) > from_us(late.created_at.us)


def test_deleting_removes_the_file_and_cancels_what_waits(house) -> None:
    made = house.made()
    file = house.file(made)
    house.service.delete(house.account, made.id)
    assert not file.exists()
    with pytest.raises(NotFound):
        house.file(made)
    waiting = house.ask()
    house.service.delete(house.account, waiting)
    assert house.worker().run_due() == 0
    assert list(house.folder.iterdir()) == []


def test_deleting_in_the_middle_leaves_no_file_and_tells_nobody(house) -> None:
    house.events(100)
    export_id = house.ask()
    held = house.jobs.lease(["export"], "worker")
    job = ExportJob(EventFilter(account=house.account), "csv")

    def progress(_: int) -> None:
        house.service.delete(house.account, export_id)

    with pytest.raises(NotFound):
        house.service.write(house.account, export_id, job, progress)
    assert held is not None
    assert list(house.folder.iterdir()) == []
    assert messages(house) == []


def test_r35_a_killed_worker_leaves_no_half_file_behind_a_link(house) -> None:
    """What it wrote is there, under a name that no link leads to; the next one begins anew."""
    house.events(100)
    export_id = house.ask()
    assert house.jobs.lease(["export"], "dead") is not None
    house.folder.mkdir()
    (house.folder / f"{export_id}.0123.partial").write_text("half")
    assert house.service.get(house.account, export_id).status == "processing"
    house.clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    assert house.worker().run_due() == 1
    made = house.service.get(house.account, export_id)
    assert made.status == "completed"
    assert len(rows_of(house.file(made))) == 100
    assert len(list(house.folder.iterdir())) == 1


def test_r35_what_a_killed_or_failed_export_left_is_removed(house) -> None:
    """A deleted one, and one that killed its workers."""
    kept = house.made()
    gone, failed = house.ask(), house.ask("xlsx")
    house.service.delete(house.account, gone)
    house.folder.joinpath(f"{gone}.0123.partial").write_text("half")
    house.folder.joinpath(f"{failed}.0123.partial").write_text("half")
    house.folder.joinpath(f"{failed}.0123.partial.csv.partial").write_text("half")
    for _ in range(MAX_ATTEMPTS):
        house.jobs.lease(["export"], "dead")
        house.clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
    house.jobs.lease(["export"], "dead")
    assert house.service.get(house.account, failed).status == "failed"
    house.service.purge()
    assert [path.name for path in house.folder.iterdir()] == [f"{kept.id}.csv"]
    assert house.file(house.service.get(house.account, kept.id)).exists()


def test_a_workbook_that_grew_beyond_its_bound_fails_at_once_and_says_so(house) -> None:
    house.events(5)
    house.bound_workbooks(5)
    export_id = house.ask("xlsx")
    house.events(9)
    assert house.worker().run_due() == 1
    failed = house.service.get(house.account, export_id)
    assert failed.status == "failed"
    assert "A workbook holds 5 events and these are 9" in failed.error
    assert list(house.folder.iterdir()) == []


def test_a_failed_export_says_why(house) -> None:
    export_id = house.ask()
    house.folder.write_text("a file where the folder should be")
    for _ in range(6):
        house.worker().run_due()
        house.clock.advance(timedelta(minutes=5))
    failed = house.service.get(house.account, export_id)
    assert failed.status == "failed"
    assert failed.error
    assert str(house.folder) not in failed.error
    assert failed.download_url is None


def test_a_store_that_is_gone_is_an_error_and_leaves_nothing(house) -> None:
    house.events(10)
    export_id = house.ask()
    house.store.close(5)
    job = ExportJob(EventFilter(account=house.account), "csv")
    with pytest.raises(Unavailable):
        house.service.write(house.account, export_id, job, lambda _: None)
    assert list(house.folder.iterdir()) == []


def test_exports_under_way_are_bounded(house) -> None:
    for _ in range(MAX_PROCESSING):
        house.ask()
    with pytest.raises(Conflict):
        house.ask()
    house.worker().run_due()
    assert house.made().status == "completed"


def test_the_list_is_newest_first_and_pages_by_position(house) -> None:
    made = []
    for _ in range(5):
        made.append(house.ask())
        house.clock.advance(timedelta(seconds=1))
    first = house.service.page(house.account, 2, 0, None)
    house.ask()
    second = house.service.page(house.account, 3, 0, first.next_position)
    assert [each.id for each in [*first.data, *second.data]] == made[::-1]
    assert (first.total, second.next_position) == (5, None)
