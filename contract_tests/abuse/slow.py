"""Connections that begin a request and never end it: the scenario of R43."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import one_event

SLOWEST_SECONDS = 2.0


@contextmanager
def half_open(
    server: ServerProcess, account: TestAccount, connections: int
) -> Iterator[list[socket.socket]]:
    """Some stopped in the head of a request, some in its body."""
    with ExitStack() as stack:
        opened = []
        for number in range(connections):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=10)
            )
            head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.key}\r\n"
            if number % 2:
                head += (
                    'Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"events": ['
                )
            connection.sendall(head.encode())
            opened.append(connection)
        yield opened


def others_are_served(
    server: ServerProcess, account: TestAccount, *, connections: int, calls: int
) -> int:
    """R43: a trickle on every slow connection, reads and writes of others beside; bytes of memory.

    AssertionError when another's call fails or takes longer than SLOWEST_SECONDS.
    """
    client: Client = server.client(account)
    assert client.get("/v1/me").status == 200
    before = server.resident_bytes()
    with half_open(server, account, connections) as slow:
        for number in range(calls):
            began = time.monotonic()
            slow[number % len(slow)].sendall(b" ")
            assert client.get("/v1/me").status == 200
            client.ingest([one_event("served")])
            seconds = time.monotonic() - began
            assert seconds < SLOWEST_SECONDS, f"{seconds:.1f} s beside {connections} slow ones"
        more = server.resident_bytes() - before
    client.close()
    return more
