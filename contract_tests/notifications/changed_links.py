"""R33: links of exports, changed in ways that a person or an attacker would try."""

from __future__ import annotations

import string
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from contract_tests.harness.client import Client

_ALPHABET: Final = string.ascii_letters + string.digits + "-_=&?/%.;+ #~"
_URL_ALPHABET: Final = string.ascii_letters + string.digits + "-_=&?/%.;+~"
_WAIT_SECONDS: Final = 60


def changed(link: str, seed: int, *, alphabet: str = _ALPHABET) -> Iterator[str]:
    """Links that differ from this one, each once, without end."""
    chance = Random(seed)
    seen = {link}
    while True:
        place = chance.randrange(len(link))
        letter = chance.choice(alphabet)
        other = chance.choice(
            [
                link[:place] + letter + link[place + 1 :],
                link[:place] + letter + link[place:],
                link[:place] + link[place + 1 :],
                link[:place] + link[place:].swapcase(),
                link + letter * chance.randrange(1, 4),
            ]
        )
        if other not in seen:
            seen.add(other)
            yield other


def try_changed_links(client: Client, seed: int, amount: int) -> int:
    """Ask for so many changed links of a finished export; AssertionError if one gives a file."""
    asked = client.post(
        "/v1/exports", {"start_date": "2025-01-01", "end_date": "2025-01-31", "format": "csv"}
    )
    export: dict[str, Any] = asked.json()
    deadline = time.monotonic() + _WAIT_SECONDS
    while export["status"] == "processing":
        assert time.monotonic() < deadline, export
        time.sleep(0.05)
        export = client.ok(f"/v1/exports/{export['id']}")
    parts = urlsplit(export["download_url"])
    good = f"{parts.path}?{parts.query}"
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
    others = changed(good[len("/downloads/") :], seed, alphabet=_URL_ALPHABET)
    for _ in range(amount):
        path = "/downloads/" + next(others)
        status, body = _get(connection, path)
        assert status in (400, 403, 404), (status, path)
        assert b"cost_usd" not in body, path
    assert _get(connection, good)[0] == 200
    connection.close()
    return amount


def _get(connection: HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()
