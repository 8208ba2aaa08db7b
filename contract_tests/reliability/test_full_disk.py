"""No room: refused with 503, nothing promised is lost, and writing goes on when there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract_tests.harness.seeds import seed_or
from contract_tests.harness.server_process import ServerProcess
from contract_tests.reliability.full_disk import fill_and_free, small_disk, stop_growing

SEED = seed_or(20260303)


@pytest.mark.timeout(180)
def test_r3_a_full_disk_is_a_503_and_heals_by_itself(tmp_path: Path) -> None:
    """R3: a small file system is filled and freed; no acknowledgement is lost, no repair needed."""
    with small_disk(tmp_path) as disk, ServerProcess(disk) as server:
        account = server.add_account("full")
        assert fill_and_free(server, account, seed=SEED, rounds=2) >= 1_000
        server.kill()


def test_r3_files_that_may_not_grow_are_a_503_and_heal_by_themselves(
    own_server: ServerProcess,
) -> None:
    """R3: the same by a quota on the size of files, which needs no rights."""
    account = own_server.add_account("quota")
    assert stop_growing(own_server, account, seed=SEED, rounds=2) >= 100
