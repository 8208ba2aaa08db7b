"""Who is asking, and under which name."""

from __future__ import annotations

import pytest

from infraprism_server.errors import InvalidRequest, StartupError
from infraprism_server.http.addresses import HostPolicy, TrustedProxies


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4, 10.0.0.2", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str | None, client: str) -> None:
    assert TrustedProxies(["10.0.0.0/8"]).client_address(peer, forwarded) == client


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("203.0.113.9", "https", "http"),
        ("10.0.0.1", None, "http"),
    ],
)
def test_only_trusted_proxies_say_the_scheme(peer: str, said: str | None, scheme: str) -> None:
    assert TrustedProxies(["10.0.0.0/8"]).scheme(peer, said, "http") == scheme


def test_without_proxies_the_header_is_ignored() -> None:
    assert TrustedProxies([]).client_address("10.0.0.1", "1.2.3.4") == "10.0.0.1"


def test_a_wrong_network_stops_the_start() -> None:
    with pytest.raises(StartupError, match="not a network"):
        TrustedProxies(["everyone"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8080",
        "127.0.0.1",
        "[::1]:80",
        "192.168.1.5:8080",
        "spend.example.com",
        "SPEND.example.com:443",
        "extra.example",
    ],
)
def test_known_names_and_addresses_are_answered(host: str) -> None:
    HostPolicy("0.0.0.0", ["extra.example"], "https://spend.example.com").check(host)


@pytest.mark.parametrize("host", ["evil.example", "", None, "spend.example.com.evil.example"])
def test_other_names_are_not(host: str | None) -> None:
    with pytest.raises(InvalidRequest):
        HostPolicy("0.0.0.0", [], "https://spend.example.com").check(host)


def test_on_loopback_every_name_is_answered() -> None:
    HostPolicy("127.0.0.1", [], None).check("whatever.example")
