"""A process in which files of parquet are cut short again and again, and that ends if one hangs.

DuckDB waits in native code then, where no timeout of a test reaches it.
"""

from __future__ import annotations

import faulthandler
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

import duckdb

from contract_tests.event_store.engines import INSTANCE
from infraprism_server.event_store.duckdb.database import Database

WRITERS: Final = 3
CUTS_EACH: Final = 25
_PATIENCE_SECONDS: Final = 60
_WRITE: Final = (
    "COPY (SELECT range, md5(range::VARCHAR), md5((range + 1)::VARCHAR) FROM range(200000))"
    " TO '{path}' (FORMAT parquet, COMPRESSION zstd, PRESERVE_ORDER false, ROW_GROUP_SIZE 4096)"
)


def cut_again_and_again(folder: Path) -> None:
    """Print how many files were cut short; end with an error when one takes a minute."""
    faulthandler.dump_traceback_later(_PATIENCE_SECONDS, exit=True)
    database = Database(folder, instance_id=INSTANCE, memory_limit_mb=512, threads=2)
    with ThreadPoolExecutor(WRITERS) as pool:
        cut = sum(pool.map(lambda writer: _cut(database, folder, writer), range(WRITERS)))
    database.close()
    print(cut, end="", flush=True)  # noqa: T201 - how the process answers


def _cut(database: Database, folder: Path, writer: int) -> int:
    random, cut = Random(writer), 0
    for _ in range(CUTS_EACH):
        with database.working() as cursor:
            over = threading.Event()
            after = random.uniform(0.005, 0.08)
            cutter = threading.Thread(target=_interrupt, args=(cursor, after, over))
            cutter.start()
            try:
                cursor.execute(_WRITE.format(path=folder / f"{writer}.parquet"))
            except duckdb.InterruptException:
                cut += 1
            finally:
                over.set()
                cutter.join()
    return cut


def _interrupt(cursor: duckdb.DuckDBPyConnection, after: float, over: threading.Event) -> None:
    """As an export that is cancelled does: until it has ended."""
    over.wait(after)
    while not over.wait(0.01):
        cursor.interrupt()
