"""Where a webhook may go: which URLs, and which addresses behind their names.

The lists are our own: the standard library's `is_global` calls several reserved ranges global on
Python 3.11. Only what is known to be public unicast passes.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

from infraprism_server.errors import InvalidRequest

MAX_URL_CHARS: Final = 2_048
PUBLIC_PORTS: Final = frozenset({443, 8443})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_URL_TEXT = re.compile(r"[!#-;=?-Z\[\]_a-z~%]+")
"""What RFC 3986 allows in a URL: no blank, control character, quote, backslash or non-ASCII."""

_INNER_SUFFIXES: Final = (
    *("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private"),
    *("home.arpa", "localdomain", "onion", "test", "invalid"),
)
"""Names that only mean something inside somebody's network."""

_RESERVED_V4: Final = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
        *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's host, reachable from every virtual machine there
    )
)
_GLOBAL_V6: Final = ip_network("2000::/3")
"""The only part of IPv6 that is public unicast: mapped, NAT64, ULA, link-local lie outside."""
_RESERVED_V6: Final = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
_PRIVATE: Final[tuple[IPv4Network | IPv6Network, ...]] = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"),
    )
)
_NEVER: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("fd20:ce::254")})
"""Cloud metadata inside the private ranges: nobody's receiver."""


class TargetNotAllowed(Exception):
    """An address a webhook may not go to. The text does not say what was found there."""


class Target(msgspec.Struct, frozen=True):
    """A URL that may be sent to, as far as its text tells."""

    url: str
    scheme: str
    host: str
    port: int


def parse_target(url: str, *, allow_private: bool, param: str = "url") -> Target:
    """The URL's parts. InvalidRequest, with the reason, when it can not be a receiver.

    With `allow_private` (the operator's setting) http, every port and inner names pass too.
    """
    if len(url) > MAX_URL_CHARS:
        raise InvalidRequest(f"'{param}' is longer than {MAX_URL_CHARS} characters", param)
    if _URL_TEXT.fullmatch(url) is None:
        raise InvalidRequest(
            f"'{param}' has a character that URLs do not have; encode it with % or punycode", param
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").lower()
    except ValueError:
        raise InvalidRequest(f"'{param}' is not a URL", param) from None
    if parts.scheme not in ("https", "http") or (parts.scheme == "http" and not allow_private):
        raise InvalidRequest(f"'{param}' must start with https://", param)
    if "@" in parts.netloc or "#" in url:
        raise InvalidRequest(f"'{param}' has no user, password or fragment", param)
    if port is None:
        if parts.netloc.endswith(":"):
            raise InvalidRequest(f"'{param}' has an empty port", param)
        port = _DEFAULT_PORTS[parts.scheme]
    if port not in PUBLIC_PORTS and not (allow_private and port > 0):
        raise InvalidRequest(f"'{param}' has port {port}; 443 and 8443 are allowed", param)
    _check_host(host, in_brackets="[" in parts.netloc, allow_private=allow_private, param=param)
    return Target(url, parts.scheme, host, port)


def is_allowed(address: str, *, allow_private: bool) -> bool:
    """Whether a socket may be opened to this IP address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if parsed in _NEVER:
        return False
    if allow_private and any(parsed in network for network in _PRIVATE):
        return True
    return _is_public(parsed)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _RESERVED_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _RESERVED_V6)


def _check_host(host: str, *, in_brackets: bool, allow_private: bool, param: str) -> None:
    if in_brackets or _IPV4.fullmatch(host):
        if not is_allowed(host, allow_private=allow_private):
            raise not_public(param)
        return
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidRequest(f"'{param}' has no host name that can be looked up", param)
    # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses, each in its own way.
    if _NUMBER.fullmatch(labels[-1]):
        raise InvalidRequest(f"'{param}' has an IP address in an unusual form", param)
    inner = len(labels) == 1 or any(host.endswith(f".{suffix}") for suffix in _INNER_SUFFIXES)
    if inner and not allow_private:
        raise not_public(param)


def not_public(param: str = "url") -> InvalidRequest:
    """The refusal of an address that is not public; it tells nothing about that address."""
    return InvalidRequest(
        f"'{param}' does not lead to a public address. Operators can allow loopback and private "
        "ones with INFRAPRISM_ALLOW_PRIVATE_WEBHOOKS=1",
        param,
    )
