"""Where webhooks may go: hostile targets are refused when made, and at every attempt."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import httpcore2
import pytest

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

HOSTILE_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200"),
    *("100.127.255.255", "127.0.0.1", "127.0.0.53", "127.1.2.3", "127.255.255.255"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.169.123", "172.16.0.1"),
    *("172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.2.1"),
    *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255"),
    *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.7"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::2", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:8.8.8.8", "::127.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "100:0:0:1::1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1"),
    *("2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1"),
    *("2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1"),
    *("fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0"),
    *("febf::1", "fec0::1", "ff02::1", "ff0e::1", "2606:4700:0:0:0:5efe:7f00:1"),
    *("2606:4700:0:0:200:5efe:a00:1", "fe80::5efe:a9fe:a9fe"),
]
PUBLIC_ADDRESSES = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1"]


def address_url(address: str) -> str:
    return f"https://[{address.replace('%', '%25')}]/" if ":" in address else f"https://{address}/"


HOSTILE_URLS = [
    *(address_url(address) for address in HOSTILE_ADDRESSES),
    # The same addresses in forms that some resolvers read.
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/"),
    *("https://127.1/", "https://127.0.1/", "https://017700000001/", "https://0x7f.1/"),
    *("https://1.1/", "https://0/", "https://0x/", "https://127.0.0.1./", "https://127.0.0.01/"),
    *("https://00000127.0.0.1/", "https://256.256.256.256/", "https://1.1.1.1.1/"),
    *("https://127.0.0.0x1/", "https://[::1]./", "https://[v1.x]/", "https://[127.0.0.1]/x"),
    *("https://[::1", "https://::1/", "https://[::ffff:7f00:1]/", "https://[::1%25lo]/"),
    # Names that mean something only inside.
    *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://a.localhost/"),
    *("https://localhost.localdomain/", "https://printer.local/", "https://wiki/"),
    *("https://metadata.google.internal/", "https://kubernetes.default.svc.cluster.local/"),
    *("https://router.lan/", "https://nas.home.arpa/", "https://x.corp/", "https://a.onion/"),
    # Who you say you are, and what others read there.
    *("https://good.example@127.0.0.1/", "https://user:pw@hooks.example/", "https://@x.example/"),
    *("https://hooks.example\\@127.0.0.1/", "https://127.0.0.1\\.hooks.example/"),
    *("https://hooks.example#@127.0.0.1/", "https://hooks.example/#x", "https://%31.0.0.127/"),
    *("https://%6cocalhost/", "https://hooks%2eexample/", "https://①②⑦.⓪.⓪.①/"),
    *("https://localhoſt/", "https://hooks。example/", "https://xn--/../", "https://a..example/"),
    *("https://.example/", "https://hooks.example./", "https://-a.example/", "https:///x"),
    *(
        "https://",
        "https:/hooks.example",
        "https:hooks.example",
        "//hooks.example/",
        "hooks.example",
    ),
    # Other schemes and ports.
    *("http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://x.example/"),
    *("data:text/plain,x", "javascript:alert(1)", "unix:///run/docker.sock", "ws://x.example/"),
    *("https+unix://x.example/", "dict://127.0.0.1:11211/", "ldap://x.example/", "jar:https://x/"),
    *("https://hooks.example:22/", "https://hooks.example:25/", "https://hooks.example:80/"),
    *("https://hooks.example:6379/", "https://hooks.example:0/", "https://hooks.example:65536/"),
    *("https://hooks.example:-1/", "https://hooks.example:/", "https://hooks.example:４４３/"),
    *("https://hooks.example:443:80/", "https://hooks.example:1e3/"),
    # Lines, blanks and length.
    *("https://hooks.example/\r\nX-Evil: 1", "https://hooks.example\r\n/", "https://a.example/\n"),
    *("https://hooks.example/ x", " https://hooks.example/", "https://hooks.example/\t"),
    *("https://hooks.example/\x00", "https://hooks.example/\x7f", 'https://hooks.example/"'),
    *("https://hooks.example/<x>", "https://hooks.example/é", "https://hooks.example/{x}"),
    "https://hooks.example/" + "a" * 2048,
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 130}example/",
]


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
