"""How much memory the event store may take by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from infraprism_server.event_store.duckdb.memory import (
    LEAST_MB,
    MOST_MB,
    default_memory_limit_mb,
)

MIB = 1 << 20


def limit(tmp_path: Path, own: str, files: dict[str, str]) -> int:
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (tmp_path / "own").write_text(own)
    return default_memory_limit_mb(tmp_path / "cgroup", tmp_path / "own")


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", {"memory.max": str(1_200 * MIB)}),
        ("0::/a/b\n", {"a/memory.max": str(1_200 * MIB), "a/b/memory.max": "max"}),
        ("0::/of/the/host\n", {"memory.max": str(1_200 * MIB)}),
        (
            "9:cpu:/x\n4:memory:/docker/1\n",
            {"memory/docker/1/memory.limit_in_bytes": str(1_200 * MIB)},
        ),
    ],
)
def test_a_container_has_a_quarter_of_what_it_may_take(
    tmp_path: Path, own: str, files: dict[str, str]
) -> None:
    assert limit(tmp_path, own, files) == 300


def test_without_a_container_it_is_the_machines(tmp_path: Path) -> None:
    found = limit(tmp_path, "0::/\n", {"memory.max": "max"})
    assert LEAST_MB <= found <= MOST_MB
    assert default_memory_limit_mb(tmp_path / "none", tmp_path / "none") == found


def test_a_tiny_container_still_has_the_least(tmp_path: Path) -> None:
    assert limit(tmp_path, "0::/\n", {"memory.max": str(20 * MIB)}) == LEAST_MB
