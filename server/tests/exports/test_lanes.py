"""Who waits for whom: a small export not for a large one, an account not for all of another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infraprism_server.exports.files import ExportFiles, ExportFolder
from infraprism_server.exports.lane import LARGE, SMALL, lane_of
from infraprism_server.exports.schemas import Format
from infraprism_server.exports.tasks import export_workers
from infraprism_server.exports.workbook import MAX_ROWS

PATIENCE_SECONDS = 20.0


class SlowShelf(ExportFolder):
    """A folder that takes workbooks when it is told to, and other files at once."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def keep(
        self, partial: Path, export_id: str, file_format: str, check: Callable[[], None]
    ) -> int:
        if file_format == "xlsx":
            self.reached.set()
            while not self.go_on.wait(0.01):
                check()
        return super().keep(partial, export_id, file_format, check)


@pytest.fixture
def files(data_dir: Path) -> ExportFiles:
    return SlowShelf(data_dir)


def test_a_small_export_of_another_account_is_done_while_a_large_workbook_is_made(
    house, files: SlowShelf
) -> None:
    house.events(100)
    house.events(3, house.other)
    house.bound_small_work(1_000)
    large = house.ask("xlsx")
    workers = export_workers(house.jobs, house.service)
    for worker in workers:
        worker.start()
    try:
        assert files.reached.wait(PATIENCE_SECONDS)
        small = house.ask("csv", house.other)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while house.service.get(house.other, small).status == "processing":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert house.service.get(house.other, small).status == "completed"
        assert house.service.get(house.account, large).status == "processing"
        files.go_on.set()
        while house.service.get(house.account, large).status == "processing":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert house.service.get(house.account, large).status == "completed"
    finally:
        for worker in workers:
            assert worker.stop(PATIENCE_SECONDS)


def test_who_makes_exports_hears_of_a_new_one_when_it_can_be_taken(house) -> None:
    house.events(3)
    heard: list[int] = []
    house.service.on_created(lambda: heard.append(house.worker().run_due()))
    export = house.ask("csv")
    assert heard == [1]
    assert house.service.get(house.account, export).status == "completed"


def test_a_large_export_that_waits_or_runs_can_be_cancelled(house, files: SlowShelf) -> None:
    house.events(100)
    house.bound_small_work(1_000)
    waiting = house.ask("xlsx")
    house.service.delete(house.account, waiting)
    assert house.worker().run_due() == 0
    running = house.ask("xlsx")
    worker = house.worker()
    worker.start()
    try:
        assert files.reached.wait(PATIENCE_SECONDS)
        house.service.delete(house.account, running)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while list(house.folder.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        assert worker.stop(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("file_format", "rows", "lane"),
    [
        ("csv", 3_000_000, SMALL),
        ("csv", 3_000_001, LARGE),
        ("parquet", 3_000_000, SMALL),
        ("json", 1_000_001, LARGE),
        ("xlsx", 120_000, SMALL),
        ("xlsx", MAX_ROWS, LARGE),
    ],
)
def test_what_takes_more_than_some_seconds_is_large(
    file_format: Format, rows: int, lane: str
) -> None:
    assert lane_of(file_format, rows) == lane
