"""R30: fifty endpoints take every message and never answer, and a healthy one has its at once."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.receiver import Receiver

MESSAGES_EACH = 4
"""To an endpoint that hangs, before the healthy one is told anything and again and again after."""
RENEWED_EVERY = 50


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a port whose connections are made, and whose requests nobody reads."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(4_096)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def beside_hanging_ones(server: ServerProcess, *, hanging: int, messages: int) -> list[float]:
    """Seconds from the request for a message to its arrival at the healthy endpoint, sorted."""
    client = server.client(server.add_account("hanging"))
    with black_hole() as nobody, Receiver() as receiver:
        silent = [_hook(client, f"{nobody}/{number}") for number in range(hanging)]
        healthy = _hook(client, receiver.url)
        took: list[float] = []
        for number in range(messages):
            if number % RENEWED_EVERY == 0:
                for each in silent * MESSAGES_EACH:
                    _tell(client, each)
            began = time.monotonic()
            _tell(client, healthy)
            receiver.wait_for(number + 1)
            took.append(time.monotonic() - began)
    client.close()
    return sorted(took)


def _hook(client: Client, url: str) -> str:
    answer = client.post("/v1/webhooks", {"url": url, "events": ["limit.reached"]})
    assert answer.status == 201, answer
    hook_id: str = answer.json()["id"]
    return hook_id


def _tell(client: Client, hook_id: str) -> None:
    answer = client.post(f"/v1/webhooks/{hook_id}/test", {})
    assert answer.status == 201, answer
