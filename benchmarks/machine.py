"""The machine under the figures, and what /proc says of processes."""

from __future__ import annotations

import os
import platform
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

_TICK_SECONDS: Final = 1 / os.sysconf("SC_CLK_TCK")
_PACKAGES: Final = ("infraprism-server", "duckdb", "granian", "litestar", "msgspec", "pyarrow")
_SAMPLE_SECONDS: Final = 0.1


def describe() -> dict[str, str]:
    """Processor, cores, memory, system, versions, date."""
    return {
        "date": now(),
        "cpu": _cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory_gib": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    } | {name: version(name) for name in _PACKAGES}


def now() -> str:
    """As a report says it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def load_average() -> float:
    """Of the last minute: above a few tenths before a run, the figures are disturbed."""
    return os.getloadavg()[0]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def group_members(group: int) -> list[int]:
    """The processes of a process group."""
    members = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields and int(fields[2]) == group:
                members.append(int(folder.name))
    return members


def cpu_seconds(group: int) -> float:
    """User and system time of a process group so far."""
    ticks = 0
    for pid in group_members(group):
        fields = _stat(pid)
        if fields:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK_SECONDS


def rss_bytes(group: int) -> int:
    """Resident memory of a process group now."""
    pages = 0
    for pid in group_members(group):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name, from the state on; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


class MemoryWatch:
    """The highest memory of a process group while the block runs."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_bytes = 0

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, rss_bytes(self._group))

    def __enter__(self) -> MemoryWatch:
        self.peak_bytes = rss_bytes(self._group)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def fsync_ms(folder: Path, times: int = 200) -> list[float]:
    """How long the folder's disk takes to make 4 KiB durable, each time, in milliseconds."""
    path = folder / "fsync-floor"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return taken
