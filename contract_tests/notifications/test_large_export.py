"""The long form of exports, at a size that takes seconds."""

from __future__ import annotations

from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.large_export import ABOVE_IDLE_BYTES, export_many


def test_memory_stays_flat_and_the_sum_is_the_apis(tmp_path) -> None:
    with ServerProcess(tmp_path) as server:
        above = export_many(server, 3, events=100_000, file_format="csv", seconds=60)
        assert above <= ABOVE_IDLE_BYTES
