"""How fast an export is written over the API, and a plain COPY of the same rows beside it."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from benchmarks.floor import Floor
from benchmarks.server import Client

_POLL_SECONDS: Final = 0.05


def rows_per_second(client: Client, floor: Floor, *, start: str, end: str) -> tuple[float, float]:
    """Rows a second of a csv export of everything, asked for until completed; and the floor's."""
    body = json.dumps({"start_date": start, "end_date": end, "format": "csv"}).encode()
    began = time.perf_counter()
    asked: dict[str, Any] = client.post("/v1/exports", body)
    export = asked
    while export["status"] == "processing":
        time.sleep(_POLL_SECONDS)
        export = client.get(f"/v1/exports/{asked['id']}")
    took = time.perf_counter() - began
    if export["status"] != "completed":
        raise RuntimeError(f"the export failed: {export['error']}")
    return export["rows_written"] / took, floor.copy_csv()
