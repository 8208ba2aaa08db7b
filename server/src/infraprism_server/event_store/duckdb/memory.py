"""How much memory DuckDB may take when nobody says: a quarter of what this process may have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

MOST_MB: Final = 1_024
LEAST_MB: Final = 64
_MIB: Final = 1 << 20
_CGROUPS: Final = Path("/sys/fs/cgroup")
_OWN_CGROUP: Final = Path("/proc/self/cgroup")


def default_memory_limit_mb(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """A quarter of the machine's memory, or of the container's where that is less; bounded."""
    bytes_there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [bytes_there, *_container_limits(cgroups, own_cgroup)]
    return max(LEAST_MB, min(MOST_MB, min(limits) // 4 // _MIB))


def _container_limits(cgroups: Path, own_cgroup: Path) -> list[int]:
    """What this process's control groups and those around them allow, in bytes."""
    limits = []
    try:
        lines = own_cgroup.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base = cgroups / "memory" if controllers else cgroups
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        place = base / path.lstrip("/")
        # Inside a container the path is often that of the machine, and the group is the root.
        for folder in (place, *place.parents):
            if folder == base.parent:
                break
            text = _read(folder / name)
            if text.isdigit():
                limits.append(int(text))
    return limits


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
