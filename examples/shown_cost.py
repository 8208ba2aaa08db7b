"""What the examples share: wait until the server shows the cost of the calls just made."""

from __future__ import annotations

import os
import sys
import time

import infraprism

WITHIN_SECONDS = 2.0


def show_cost(entity_type: str, entity_id: str, calls: int) -> None:
    """Print what the entity costs on the running server; exit with an error when it is late."""
    if not os.environ.get("INFRAPRISM_API_KEY"):
        print("INFRAPRISM_API_KEY is not set: the calls were made, nothing was reported")
        return
    began = time.monotonic()
    deadline = began + WITHIN_SECONDS
    infraprism.flush(WITHIN_SECONDS)
    with infraprism.Client() as api:
        while time.monotonic() < deadline:
            found = api.events.list(entity_type=entity_type, entity_id=entity_id)
            if found.pagination.total >= calls:
                entity = api.entities.get(entity_type, entity_id)
                seconds = time.monotonic() - began
                told = f"{entity.total_events} calls, {entity.total_cost} dollars"
                print(f"{entity_id}: {told}, shown after {seconds:.2f} s")
                return
            time.sleep(0.05)
    sys.exit(f"the cost of {entity_id} did not show within {WITHIN_SECONDS} s")
