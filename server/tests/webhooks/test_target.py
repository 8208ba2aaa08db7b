"""Where webhooks may go: hostile targets are refused when made, and at every attempt."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import httpcore2
import pytest

from contract_tests.notifications.hostile_targets import (
    HOSTILE_ADDRESSES,
    HOSTILE_URLS,
    address_url,
)
from infraprism_server.clock import FixedClock
from infraprism_server.errors import InvalidRequest
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks.connection import BoundedLookUp, GuardedBackend, Sender, look_up
from infraprism_server.webhooks.dispatch import Dispatch
from infraprism_server.webhooks.schemas import CreateWebhook
from infraprism_server.webhooks.service import WebhookService
from infraprism_server.webhooks.target import is_allowed, parse_target
from infraprism_server.webhooks.tasks import DeliveryWorker

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

PUBLIC_ADDRESSES = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1"]


def test_r32_the_corpus_is_as_long_as_it_should_be() -> None:
    assert len(set(HOSTILE_URLS)) >= 120


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=repr)
def test_r32_a_hostile_target_is_refused_when_it_is_made(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_target(url, allow_private=False)
    assert caught.value.param == "url"


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_r32_a_hostile_address_is_refused_behind_any_name(address: str) -> None:
    assert not is_allowed(address, allow_private=False)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(address, allow_private=False)
    assert parse_target(address_url(address), allow_private=False).host == address


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "0.0.0.0", "100.64.0.1", "::ffff:127.0.0.1", "fe80::1", "fd00:ec2::254",
     "224.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_the_operators_permission_is_for_loopback_and_private_ones_alone(address: str) -> None:
    assert is_allowed("127.0.0.1", allow_private=True)
    assert is_allowed("::1", allow_private=True)
    assert is_allowed("192.168.1.5", allow_private=True)
    assert not is_allowed(address, allow_private=True)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example", "https://hooks.example/a/b?c=d&e=%20", "https://HOOKS.example:8443/",
     "https://xn--bcher-kva.example/", "https://a_b.example/~x;y='z'"],
)  # fmt: skip
def test_a_good_url_is_taken(url: str) -> None:
    assert parse_target(url, allow_private=False).scheme == "https"


def attempts(receiver, answers: list[list[str]], *, allow_private: bool = False, name="a.example"):
    """One post for each answer of the resolver, to the receiver's port; what became of them."""
    turns = iter(answers)

    async def lies(host: str, port: int) -> list[str]:
        return next(turns)

    async def run():
        sender = Sender(
            FixedClock(NOON),
            allow_private=allow_private,
            resolve=lies,
            timeout_seconds=2,
        )
        port = receiver.url.split(":")[2].split("/")[0]
        made = [await sender.post(f"http://{name}:{port}/", {}, b"{}") for _ in answers]
        await sender.close()
        return made

    return asyncio.run(run())


def test_r32_no_connection_reaches_the_listener_behind_a_name(receiver) -> None:
    local = [[address] for address in HOSTILE_ADDRESSES]
    mixed = [["1.1.1.1", address] for address in HOSTILE_ADDRESSES]
    made = attempts(receiver, [*local, *mixed, []])
    assert {attempt.error for attempt in made} == {"the address is not a public one"}
    assert receiver.got == []


def test_r32_an_address_is_judged_at_every_attempt(receiver) -> None:
    """A name that was harmless for one attempt and is not for the next."""
    first, second = attempts(receiver, [["127.0.0.1"], ["169.254.169.254"]], allow_private=True)
    assert first.status_code == 200
    assert second.error == "the address is not a public one"
    assert len(receiver.got) == 1


def test_r32_the_socket_goes_to_the_address_that_was_checked(receiver) -> None:
    """The name exists nowhere: only the resolver's one answer can have led to the receiver."""
    with pytest.raises(OSError, match=r".+"):
        look_up("rebinding.example.invalid", 80)
    (made,) = attempts(
        receiver, [["127.0.0.1"]], allow_private=True, name="rebinding.example.invalid"
    )
    assert made.status_code == 200
    assert receiver.got[0].headers["host"].startswith("rebinding.example.invalid:")


def test_r32_a_name_that_was_public_when_it_was_made_leads_nowhere_later(
    receiver, engine, clock, cast
) -> None:
    """DNS that answers with a public address first, and with this machine's ever after."""
    asked = []

    def public_first(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["1.1.1.1"]

    async def private_later(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    box = SecretBox(["k" * 32])
    service = WebhookService(engine, clock, box, allow_private=False, look_up=public_first)
    hook = service.create(
        cast.ann.number, CreateWebhook("https://rebinds.example:8443/", ("limit.reached",))
    )
    with engine.begin() as connection:  # to the port of the listener, whatever the guard says
        port = receiver.url.split(":")[2].split("/")[0]
        url = f"http://rebinds.example:{port}/"
        connection.exec_driver_sql("UPDATE webhooks SET url = ?", (url,))
    service.test(cast.ann.number, hook.id, None)
    dispatch = Dispatch(engine, clock, box)
    DeliveryWorker(dispatch, clock, allow_private=False, resolve=private_later).run_due()
    (delivery,) = service.delivery_page(cast.ann.number, hook.id, 10, 0, None).data
    assert delivery.attempts[0].error == "the address is not a public one"
    assert receiver.got == []
    assert asked == ["rebinds.example"] * 2


def test_a_name_server_that_never_answers_holds_up_nobody_for_long() -> None:
    over = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        over.wait(30)
        return []

    patient = BoundedLookUp(hangs, patience_seconds=0.05, at_once=2)
    try:
        for _ in range(4):
            with pytest.raises(OSError, match=r"in time|at once"):
                patient("a.example", 443)
    finally:
        over.set()
    assert BoundedLookUp(look_up)("127.0.0.1", 443) == ["127.0.0.1"]
    with pytest.raises(OSError, match=r".+"):
        BoundedLookUp(look_up)("nobody.example.invalid", 443)


def test_an_address_that_swallows_packets_leaves_time_for_the_next(receiver) -> None:
    tried: list[str] = []

    class Inner(httpcore2.AsyncNetworkBackend):
        async def connect_tcp(self, host, port, timeout=None, *_):
            tried.append(host)
            assert timeout is not None
            if host == "10.0.0.1":
                await asyncio.sleep(0)
                raise httpcore2.ConnectTimeout
            return await httpcore2.AnyIOBackend().connect_tcp(host, port, timeout)

    async def two(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.1"]

    async def run() -> None:
        backend = GuardedBackend(two, allow_private=True)
        backend._inner = Inner()
        port = int(receiver.url.split(":")[2].split("/")[0])
        stream = await backend.connect_tcp("a.example", port)
        await stream.aclose()

    asyncio.run(run())
    assert tried == ["10.0.0.1", "127.0.0.1"]
