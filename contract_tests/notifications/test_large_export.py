"""The long forms of exports, at sizes that take seconds."""

from __future__ import annotations

from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.exports_over_kills import export_over_kills
from contract_tests.notifications.large_export import ABOVE_IDLE_BYTES, export_many


def test_r35_memory_stays_flat_and_the_sum_is_the_apis(own_server: ServerProcess) -> None:
    made = export_many(own_server, 3, events=100_000, file_format="csv", seconds=60)
    assert made.above_bytes <= ABOVE_IDLE_BYTES


def test_r35_kills_leave_whole_files_behind_links_or_none(own_server: ServerProcess) -> None:
    assert export_over_kills(own_server, 5, events=6_000, kills=3) == (6, 6, 0)
