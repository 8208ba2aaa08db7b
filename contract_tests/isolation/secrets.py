"""Where the text of a key could be left behind, and is not: the scenario of R14."""

from __future__ import annotations

import base64
import time
from itertools import count
from random import Random

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import one_event

_EXPORT_SECONDS = 30.0


def look_for_keys(server: ServerProcess, account: TestAccount, *, seed: int, keys: int) -> int:
    """R14: make keys, use them rightly and wrongly, export; then search every byte for them.

    Answers how many keys were looked for in what the server answered after each creation, in its
    data folder while it runs and after an orderly end, and in its log.
    """
    random = Random(seed)
    owner = server.client(account)
    told = bytearray()
    texts = []
    for number in range(keys):
        headers = {"Idempotency-Key": f"r14-{seed}-{number}"}
        made = owner.post("/v1/api-keys", {"name": f"key {number}"}, headers).json()
        texts.append(made["key"])
        told += owner.post("/v1/api-keys", {"name": f"key {number}"}, headers).body
        told += _use(server, made["key"], random)
        if random.random() < 0.5:
            told += owner.delete(f"/v1/api-keys/{made['id']}").body
    told += owner.get("/v1/api-keys", {"limit": 1000}).body
    told += _export(owner)
    told += server.client().get("/metrics").body
    owner.close()
    told += _files(server)
    status, _ = server.terminate()
    assert status == 0, server.log()
    told += _files(server)
    server.start()
    everything = bytes(told)
    for text in texts:
        secret = text[6:-6].encode()  # without what lists show, and the checksum
        for form in (secret, secret[::-1], secret.hex().encode(), _packed(secret)):
            assert form not in everything, f"a key was left behind: seed {seed}"
    return len(texts)


def _use(server: ServerProcess, key: str, random: Random) -> bytes:
    """Everything a careless client may do with a key; all that it is told."""
    client = Client(server.url, key)
    told = client.get("/v1/me").body
    told += client.post("/v1/events", {"events": [one_event("r14")]}).body
    told += client.get("/v1/nothing").body
    told += client.request("POST", "/v1/events", b"{").body
    # Where it does not belong: the wrong scheme, a typo, a path, a query, a body.
    client.key = None
    place = random.randrange(6, len(key))
    typo = key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :]
    for sent in (f"Basic {key}", f"Bearer {typo}", f"Bearer {key} {key}", key):
        wrong = {"Authorization": sent, "X-Forwarded-For": f"192.0.2.{random.randrange(256)}"}
        # An answer may quote what was sent in a path or a body, never a header.
        told += client.request("GET", "/v1/me", headers=wrong).body
    client.close()
    return told


def _export(owner: Client) -> bytes:
    body = {"start_date": "2025-01-01", "end_date": "2025-12-31", "format": "json"}
    export = owner.post("/v1/exports", body).json()
    deadline = time.monotonic() + _EXPORT_SECONDS
    for _ in count():
        export = owner.ok(f"/v1/exports/{export['id']}")
        if export["status"] != "processing":
            break
        assert time.monotonic() < deadline, export
        time.sleep(0.05)
    assert export["status"] == "completed", export
    path = export["download_url"].removeprefix(owner.url)
    return Client(owner.url).get(path).body


def _files(server: ServerProcess) -> bytes:
    files = [path for path in server.folder.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def _packed(secret: bytes) -> bytes:
    return base64.b64encode(secret).rstrip(b"=")
