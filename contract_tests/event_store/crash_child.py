"""The process that test_crash.py kills: appends from four threads, prints what was acknowledged."""

from __future__ import annotations

import sys
import threading
from itertools import count
from pathlib import Path

from contract_tests.event_store.engines import ENGINES
from contract_tests.event_store.samples import event
from infraprism_server.event_store.contract import Event

EVENTS_PER_BATCH = 20
_PER_CYCLE = 1_000_000


def batch_of(number: int) -> list[Event]:
    """The events of a numbered batch, always the same."""
    first = number * EVENTS_PER_BATCH
    return [event(first + place, cost_pico=first + place) for place in range(EVENTS_PER_BATCH)]


def main(engine: str, folder: str, cycle: int) -> None:
    store = ENGINES[engine](Path(folder))
    numbers = count(cycle * _PER_CYCLE)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(numbers)
            store.append(1, batch_of(number)).result(30)
            # One write of one line: a killed process leaves no half of it that ends in a newline.
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
