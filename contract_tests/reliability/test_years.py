"""The short form of the soak's rounds `years`: everything once, some of it killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.server_process import ServerProcess
from contract_tests.reliability.years import WORK, play_years


@pytest.mark.long
@pytest.mark.timeout(300)
def test_upkeep_under_load_and_kills_leaves_every_sum_exact(tmp_path: Path) -> None:
    """Backup, retention, erasure, pseudonyms, compaction, restore: nothing lost or doubled."""
    with ServerProcess(tmp_path, ENVIRONMENT) as server:
        figures = play_years(
            server, 7, events=20_000, kill=("backup", "erase an entity", "compact")
        )
    assert [figure.name for figure in figures] == [*WORK, "restore"]
    assert all(figure.inserts for figure in figures[:-1]), "nobody reported meanwhile"
