"""A receiver on this machine, and the parts of delivering over a real store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine

from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.background import outbox
from infraprism_server.clock import FixedClock
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks.connection import look_up
from infraprism_server.webhooks.dispatch import Dispatch
from infraprism_server.webhooks.schemas import CreateWebhook, SecretOut
from infraprism_server.webhooks.service import TestMessage, WebhookService
from infraprism_server.webhooks.tasks import DeliveryWorker

Answer = Callable[["Received", BaseHTTPRequestHandler], None]


@dataclass
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A server on 127.0.0.1: answers with `status` and `headers`, or as `answer` says."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"thanks"
    answer: Answer | None = None
    got: list[Received] = field(default_factory=list)
    url: str = ""


def handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(self.path, headers, body)
            receiver.got.append(received)
            if receiver.answer is not None:
                receiver.answer(received, self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class BusyServer(ThreadingHTTPServer):
    """Takes hundreds of connections at once: what does not fit is tried again after seconds."""

    request_queue_size = 1_024


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    server = BusyServer(("127.0.0.1", 0), handler_for(made))
    server.daemon_threads = True
    server.block_on_close = False
    made.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


async def resolve(host: str, port: int) -> list[str]:
    return look_up(host, port)


@dataclass
class House:
    """Webhooks over one store; what they may reach is the operator's `allow_private`."""

    engine: Engine
    clock: FixedClock
    box: SecretBox
    service: WebhookService
    dispatch: Dispatch

    def worker(self, **given: object) -> DeliveryWorker:
        """A sender as another process would have it."""
        options: dict[str, object] = {"allow_private": True, "resolve": resolve} | given
        dispatch = Dispatch(self.engine, self.clock, self.box)
        return DeliveryWorker(dispatch, self.clock, **options)  # type: ignore[arg-type]

    def hook(self, account: int, url: str, *events: str) -> SecretOut:
        wanted = events or ("limit.reached",)
        return self.service.create(account, CreateWebhook(url, wanted))  # type: ignore[arg-type]

    def account(self, name: str) -> int:
        """The number of one more account."""
        new = NewAccount(email=f"{name}@example.com", name=name, plan="growth")
        return AccountService(self.engine, self.clock).create(new).number

    def tell(self, account: int, kind: str = "limit.reached", text: str = "x") -> str:
        with self.engine.begin() as connection:
            return outbox.publish(
                connection, account, kind, TestMessage("wh_x", text), self.clock.now_us()
            )

    def deliveries(self, account: int, webhook_id: str):
        return self.service.delivery_page(account, webhook_id, 1000, 0, None).data


@pytest.fixture
def house(engine: Engine, clock: FixedClock) -> House:
    box = SecretBox(["k" * 32])
    service = WebhookService(engine, clock, box, allow_private=True, look_up=look_up)
    return House(engine, clock, box, service, Dispatch(engine, clock, box))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def ann_is_one(cast):
    """Two accounts are there, and the number of the first is known."""
    assert cast.ann.number == 1
