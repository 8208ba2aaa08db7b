"""Addresses: who is really asking behind trusted proxies, and which Host names are answered to."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from infraprism_server.errors import InvalidRequest, StartupError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class TrustedProxies:
    """Networks whose forwarding headers are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        for text in networks:
            try:
                self._networks.append(ip_network(text, strict=False))
            except ValueError:
                raise StartupError(
                    f"INFRAPRISM_TRUSTED_PROXIES: '{text}' is not a network such as 10.0.0.0/8"
                ) from None

    def trusts(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def client_address(self, peer: str, forwarded_for: str | None) -> str:
        """The rightmost address that no trusted proxy of ours could have written itself."""
        if not self._networks or forwarded_for is None or not self.trusts(peer):
            return peer
        for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
            if not self.trusts(hop):
                return _canonical(hop) or peer
            peer = hop
        return peer

    def scheme(self, peer: str, forwarded_proto: str | None, own: str) -> str:
        """The scheme the client used: what a trusted proxy in front says, or our own."""
        if forwarded_proto is None or not self.trusts(peer):
            return own
        said = forwarded_proto.split(",")[-1].strip().lower()
        return said if said in ("http", "https") else own


def _canonical(address: str) -> str | None:
    try:
        return str(ip_address(address))
    except ValueError:
        return None


class HostPolicy:
    """Which Host headers are answered when the server listens beyond loopback."""

    def __init__(self, listen_host: str, allowed: Iterable[str], public_url: str | None) -> None:
        self._any = is_loopback(listen_host)
        names = {name.lower() for name in allowed}
        if public_url is not None and (public := urlsplit(public_url).hostname):
            names.add(public)
        self._names = names | LOOPBACK_NAMES

    def check(self, host_header: str | None) -> None:
        """InvalidRequest unless the name is ours. Addresses can not be rebound: they pass."""
        if self._any:
            return
        name = (urlsplit(f"//{host_header or ''}").hostname or "").lower()
        if name in self._names or _canonical(name) is not None:
            return
        raise InvalidRequest(
            "This server does not answer to that host name; its operator can allow it with "
            "INFRAPRISM_ALLOWED_HOSTS or INFRAPRISM_PUBLIC_URL",
            "Host",
        )


def is_loopback(host: str) -> bool:
    """Whether listening on `host` keeps the server to this machine."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
