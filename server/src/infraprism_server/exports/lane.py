"""Lanes: which exports wait behind which. A small one never waits behind a large one."""

from __future__ import annotations

from typing import Final

from infraprism_server.exports.schemas import Format

SMALL: Final = "export"
LARGE: Final = "large export"
LANES: Final = (SMALL, LARGE)
"""Kinds of jobs, each with a worker of its own."""

SMALL_WORK: Final = 3_000_000
"""The most work of a small export: 3 to 5 seconds of one core."""
_WORK_A_ROW: Final[dict[Format, int]] = {"csv": 1, "parquet": 1, "json": 3, "xlsx": 25}
"""In rows of a csv, a microsecond and a half each."""


def lane_of(file_format: Format, rows: int, small_work: int = SMALL_WORK) -> str:
    """The kind of the job that writes so many rows."""
    return SMALL if rows * _WORK_A_ROW[file_format] <= small_work else LARGE
