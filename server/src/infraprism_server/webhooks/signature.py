"""Standard Webhooks 1.0: secrets, signatures, and how a receiver checks them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
MIN_SECRET_BYTES: Final = 24
TOLERANCE_SECONDS: Final = 300
"""How far a message's timestamp may be from the receiver's clock."""


class BadSignature(ValueError):
    """A message that was not signed with the secret, was changed, or is too old."""


def new_secret() -> str:
    """A secret as the user sees it: `whsec_` and 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers_for(
    keys: Sequence[str], message_id: str, timestamp_seconds: int, body: bytes
) -> dict[str, str]:
    """The three headers of a message, signed with every one of the secrets."""
    signatures = [_sign(_key(secret), message_id, timestamp_seconds, body) for secret in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(signatures),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_seconds: int) -> None:
    """BadSignature, with the reason, unless one signature fits and the message is fresh.

    `headers` have lower-case names.
    """
    try:
        message_id = headers["webhook-id"]
        timestamp = int(headers["webhook-timestamp"])
        given = headers["webhook-signature"]
    except (KeyError, ValueError):
        raise BadSignature("a webhook header is missing or is not readable") from None
    if abs(now_seconds - timestamp) > TOLERANCE_SECONDS:
        raise BadSignature("the timestamp is more than 5 minutes away from now")
    wanted = _sign(_key(secret), message_id, timestamp, body).encode()
    if not any(hmac.compare_digest(wanted, one.encode()) for one in given.split(" ")):
        raise BadSignature("no signature fits the secret and the body")


def _sign(key: bytes, message_id: str, timestamp_seconds: int, body: bytes) -> str:
    content = f"{message_id}.{timestamp_seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise BadSignature("the secret is not one of ours (whsec_…)") from None
    if len(key) < MIN_SECRET_BYTES:
        raise BadSignature("the secret is too short to be one of ours (whsec_…)")
    return key
