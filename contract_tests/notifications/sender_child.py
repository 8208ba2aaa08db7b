"""`python -m contract_tests.notifications.sender_child`: a sender to be killed, with its own clock.

Delivers what is due in the control store of a folder until then. Its clock is the machine's plus
microseconds that a file holds, so that whoever kills it can let hours of retries pass.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks.connection import look_up
from infraprism_server.webhooks.dispatch import Dispatch
from infraprism_server.webhooks.tasks import DeliveryWorker


class Orders(msgspec.Struct, frozen=True):
    """What a sender is told on standard input."""

    folder: str
    secret: str
    clock_file: str
    timeout_seconds: float


class FileClock:
    """The machine's clock, set forward by what a file says at the moment."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_us(self) -> int:
        return time.time_ns() // 1_000 + int(self._file.read_text(encoding="ascii") or 0)

    def set_forward(self, microseconds: int) -> None:
        """By so much, for whoever reads the file."""
        ahead = int(self._file.read_text(encoding="ascii") or 0) if self._file.exists() else 0
        new = self._file.with_suffix(".new")
        new.write_text(str(ahead + microseconds), encoding="ascii")
        new.replace(self._file)


async def _resolve(host: str, port: int) -> list[str]:
    return await asyncio.to_thread(look_up, host, port)


def main() -> None:
    """Deliver until killed."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)
    clock = FileClock(Path(orders.clock_file))
    engine = open_control_store(sqlite_url(Path(orders.folder)))
    worker = DeliveryWorker(
        Dispatch(engine, clock, SecretBox([orders.secret])),
        clock,
        allow_private=True,
        resolve=_resolve,
        timeout_seconds=orders.timeout_seconds,
    )
    worker.start()
    sys.stdout.write("delivering\n")
    sys.stdout.flush()
    while True:
        time.sleep(3_600)


if __name__ == "__main__":
    main()
