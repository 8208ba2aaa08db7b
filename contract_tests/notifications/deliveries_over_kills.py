"""R29: a receiver that fails, hangs and resets, a sender that is killed: nothing is lost.

The sender is a process of its own over a real store, with a clock that is set forward, so that 75
hours of retries take seconds. Which message fails how often follows from the seed.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from sqlalchemy import Engine, func, select
from standardwebhooks import Webhook

from contract_tests.notifications.sender_child import FileClock, Orders
from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.background import outbox
from infraprism_server.control_store.start import start_control_store
from infraprism_server.control_store.tables import deliveries
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks.connection import look_up
from infraprism_server.webhooks.schemas import CreateWebhook
from infraprism_server.webhooks.service import WebhookService

FAILS: Final = 0.30
HANGS: Final = 0.05
RESETS: Final = 0.05
ENDPOINTS: Final = 10
_SECRET: Final = "k" * 32
_TIMEOUT_SECONDS: Final = 3.0
"""Of the sender, in place of 15: a receiver that hangs costs the test that long."""
_HOUR_US: Final = 3_600_000_000
_LOOK_SECONDS: Final = 0.1


class Told(msgspec.Struct, frozen=True):
    """What a message says: which of them it is."""

    number: int


@dataclass
class Tally:
    """What came of it."""

    kills: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    """How often each message was answered with 200, by its webhook-id."""
    requests: int = 0
    given_up: int = 0
    """Deliveries that failed ten times, and were then sent again by hand."""

    @property
    def doubled(self) -> int:
        return sum(count - 1 for count in self.arrived.values())


class MoodyServer(ThreadingHTTPServer):
    """Answers 200, or fails, hangs or resets, as chance has it; whatever it takes is verified."""

    request_queue_size = 1_024
    daemon_threads = True
    block_on_close = False

    def __init__(self, seed: int, tally: Tally, secrets: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Moody)
        self.chance = Random(seed)
        self.tally = tally
        self.secrets = secrets
        self.guard = threading.Lock()
        self.over = threading.Event()


class _Moody(BaseHTTPRequestHandler):
    server: MoodyServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if len(body) < int(self.headers["content-length"]):
            return  # the sender was killed in the middle of it
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.guard:
            self.server.tally.requests += 1
            mood = self.server.chance.random()
        if mood < HANGS:
            self.server.over.wait(10 * _TIMEOUT_SECONDS)
        elif mood < HANGS + RESETS:
            # SO_LINGER of zero seconds: closing sends RST.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif mood < HANGS + RESETS + FAILS:
            self._answer(500)
        else:
            self._take(headers, body)
            self._answer(200)

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        # Signed by the library for the sender's own moment: its clock runs ahead of ours.
        moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        library = Webhook(self.server.secrets[self.path])
        wanted = library.sign(headers["webhook-id"], moment, body.decode())
        assert wanted in headers["webhook-signature"].split(" ")
        with self.server.guard:
            self.server.tally.arrived[headers["webhook-id"]] += 1

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def deliver_over_kills(folder: Path, *, seed: int, messages: int, kills: int) -> Tally:
    """Tell so many messages while the sender is killed so often; what came of it.

    AssertionError if a message was lost.
    """
    clock = FileClock(folder / "clock")
    clock.set_forward(0)
    engine = start_control_store(folder, None, clock.now_us(), holds_folder=False)
    service = WebhookService(
        engine, clock, SecretBox([_SECRET]), allow_private=True, look_up=look_up
    )
    tally = Tally()
    secrets: dict[str, str] = {}
    chance = Random(seed)
    receiver = MoodyServer(seed, tally, secrets)
    threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True).start()
    try:
        accounts = _endpoints(engine, clock, service, receiver.server_port, secrets)
        told: set[str] = set()
        for turn in range(kills + 1):
            share = range(turn * messages // (kills + 1), (turn + 1) * messages // (kills + 1))
            told |= _tell(engine, clock, accounts, share)
            with _sender(folder) as sender:
                if turn < kills:
                    _wait_for(tally, tally.requests + chance.randrange(len(share)))
                    sender.kill()
                    tally.kills += 1
                else:
                    _let_hours_pass(engine, clock, service, accounts, tally)
            clock.set_forward(chance.randrange(60_000_000))  # leases of the dead run out
    finally:
        receiver.over.set()
        receiver.shutdown()
        receiver.server_close()
        engine.dispose()
    assert tally.kills == kills
    assert set(tally.arrived) == told, f"{len(told - set(tally.arrived))} of {len(told)} were lost"
    return tally


def _endpoints(
    engine: Engine, clock: FileClock, service: WebhookService, port: int, secrets: dict[str, str]
) -> dict[int, str]:
    """An account each, with one webhook: its id by the account's number."""
    made: dict[int, str] = {}
    for number in range(ENDPOINTS):
        new = NewAccount(email=f"a{number}@example.com", name="A", plan="growth")
        account = AccountService(engine, clock).create(new).number
        path = f"/hook/{number}"
        hook = service.create(
            account, CreateWebhook(f"http://127.0.0.1:{port}{path}", ("limit.reached",))
        )
        secrets[path] = hook.secret
        made[account] = hook.id
    return made


def _tell(engine: Engine, clock: FileClock, accounts: dict[int, str], numbers: range) -> set[str]:
    numbered = list(accounts)
    with engine.begin() as connection:
        return {
            outbox.publish(
                connection,
                numbered[number % len(numbered)],
                "limit.reached",
                Told(number),
                clock.now_us(),
            )
            for number in numbers
        }


@contextmanager
def _sender(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A sender that has begun; killed in any case."""
    orders = Orders(str(folder), _SECRET, str(folder / "clock"), _TIMEOUT_SECONDS)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "contract_tests.notifications.sender_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(msgspec.json.encode(orders))
            child.stdin.close()
            assert child.stdout.readline() == b"delivering\n"
            yield child
        finally:
            child.kill()


def _wait_for(tally: Tally, requests: int) -> None:
    """In the middle of the work; not for ever, when what is left is not due."""
    deadline = time.monotonic() + 2
    while tally.requests < requests and time.monotonic() < deadline:
        time.sleep(0.001)


def _let_hours_pass(
    engine: Engine,
    clock: FileClock,
    service: WebhookService,
    accounts: dict[int, str],
    tally: Tally,
) -> None:
    """Until everything was delivered: an hour whenever nothing is due, by hand what failed."""
    while True:
        waiting, due = _pending(engine, clock.now_us())
        if due:
            time.sleep(_LOOK_SECONDS)
        elif waiting:
            clock.set_forward(_HOUR_US)
        else:
            again = _redeliver(engine, service, accounts)
            tally.given_up += again
            if not again:
                return


def _pending(engine: Engine, now_us: int) -> tuple[int, int]:
    """Deliveries that are not finished, messages included, and those that are due or under way."""
    pending = select(func.count()).where(deliveries.c.status == "pending")
    due = pending.where(deliveries.c.next_attempt_at_us <= now_us)
    with engine.connect() as connection:
        untold = outbox.count_waiting(connection)
        waiting, soon = (int(connection.execute(each).scalar_one()) for each in (pending, due))
    return waiting + untold, soon + untold


def _redeliver(engine: Engine, service: WebhookService, accounts: dict[int, str]) -> int:
    failed = select(deliveries.c.account, deliveries.c.id).where(deliveries.c.status == "failed")
    with engine.connect() as connection:
        found = connection.execute(failed).all()
    for account, delivery in found:
        service.redeliver(account, accounts[account], delivery)
    return len(found)
