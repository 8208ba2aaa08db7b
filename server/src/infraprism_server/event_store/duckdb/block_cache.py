"""The cache of the file's blocks, kept from growing by what is read once and not again.

DuckDB keeps every block it read until its memory limit is reached. A question wants that; an
export reads the whole file once and would leave hundreds of megabytes behind.
"""

from __future__ import annotations

from typing import Final

import duckdb

GROWTH_BYTES: Final = 32 << 20
"""By how much the cache may have grown: a scan reads ahead, and others read beside it."""

_USED: Final = (
    "SELECT coalesce(sum(memory_usage_bytes), 0),"
    " coalesce(sum(memory_usage_bytes) FILTER (tag = 'BASE_TABLE'), 0) FROM duckdb_memory()"
)


class BlockCache:
    """What one database holds of its file, from now on; a connection of its own, until closed."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        memory_limit: str,
        *,
        growth_bytes: int = GROWTH_BYTES,
    ) -> None:
        """`memory_limit` as it was configured: DuckDB itself tells a rounded one."""
        self._own = cursor.cursor()
        self._limit = memory_limit
        self._most_bytes = self._used()[1] + growth_bytes

    def __enter__(self) -> BlockCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.trim()
        self._own.close()

    def trim(self) -> None:
        """Let go of the blocks that were not read for the longest, where there are too many.

        DuckDB has no statement for it, but takes blocks away to fit a lower limit. The limit is
        back in the same breath, and leaves room for all that is used for anything else.
        """
        used, blocks = self._used()
        if blocks <= self._most_bytes:
            return
        try:
            self._own.execute(f"SET GLOBAL memory_limit = '{used - blocks + self._most_bytes}B'")
        except duckdb.OutOfMemoryException:
            return  # others hold on to what they read: the limit was not changed
        finally:
            self._own.execute(f"SET GLOBAL memory_limit = '{self._limit}'")

    def _used(self) -> tuple[int, int]:
        """Bytes used for everything, and for blocks of the file alone."""
        ((used, blocks),) = self._own.execute(_USED).fetchall()
        return int(used), int(blocks)
