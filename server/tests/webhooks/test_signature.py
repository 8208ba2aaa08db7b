"""Signatures: an independent verifier takes ours, ours takes nothing that was changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from infraprism_server.webhooks.signature import (
    BadSignature,
    headers_for,
    new_secret,
    verify,
)


@pytest.fixture
def now() -> int:
    """The test's own second: the spec's library reads the clock itself and allows 5 minutes."""
    return int(time.time())


def test_r27_a_thousand_messages_are_good_for_independent_verifiers(now: int) -> None:
    chance = random.Random(1)
    for number in range(1_000):
        secret, former = new_secret(), new_secret()
        data = {"n": number, "text": "é☃" * chance.randrange(50)}
        body = json.dumps({"type": "limit.reached", "data": data}).encode()
        headers = headers_for([secret, former], f"msg_{number}", now, body)
        for known in (secret, former):
            assert Webhook(known).verify(body, headers)["data"] == data
            assert fits(known, headers, body)
            verify(known, headers, body, now)


def test_ours_takes_what_the_specs_own_library_signs(now: int) -> None:
    secret = new_secret()
    signed = Webhook(secret).sign("msg_1", datetime.fromtimestamp(now, UTC), '{"a":1}')
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1a,other {signed}",
    }
    verify(secret, headers, b'{"a":1}', now)


def fits(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Standard Webhooks as its text has it, with nothing of ours and nothing of the library's."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body]
    )
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    given = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return ["v1", wanted] in given


def test_r27_any_flipped_bit_is_refused(now: int) -> None:
    secret = new_secret()
    body = b'{"type":"limit.reached","timestamp":"2026-03-01T12:00:00Z","data":{}}'
    headers = headers_for([secret], "msg_1", now, body)
    library = Webhook(secret)
    for place in range(len(body) * 8):
        changed = bytearray(body)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(BadSignature):
            verify(secret, headers, bytes(changed), now)
        with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
            library.verify(bytes(changed), headers)
        assert not fits(secret, headers, bytes(changed))
    for name, text in headers.items():
        for place in range(len(text) * 8):
            flipped = chr(ord(text[place // 8]) ^ 1 << place % 8)
            changed_text = text[: place // 8] + flipped + text[place // 8 + 1 :]
            with pytest.raises(BadSignature):
                verify(secret, headers | {name: changed_text}, body, now)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_a_future_message_is_refused(seconds: int, now: int) -> None:
    secret = new_secret()
    with pytest.raises(BadSignature, match="5 minutes"):
        verify(secret, headers_for([secret], "msg_1", now, b"{}"), b"{}", now + seconds)


@pytest.mark.parametrize("secret", ["whsec_!", "whsec_YQ==", ""])
def test_a_secret_that_is_none_is_refused(secret: str, now: int) -> None:
    headers = headers_for([new_secret()], "msg_1", now, b"{}")
    with pytest.raises(BadSignature, match="secret"):
        verify(secret, headers, b"{}", now)
