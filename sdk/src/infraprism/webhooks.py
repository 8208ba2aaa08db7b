"""Messages from InfraPrism, checked before they are believed: Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from infraprism.api.decoding import parse_json
from infraprism.api.errors import InfraPrismError

TOLERANCE_SECONDS: Final = 300
"""How far a message's time may be from this machine's: older ones may be replayed by somebody."""
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"


class WebhookVerificationError(InfraPrismError):
    """The message was not signed with this secret, was changed on its way, or is too old."""


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A message that was checked. Amounts in `data` are exact: int or Decimal."""

    id: str
    """The same for every attempt: whoever remembers it does nothing twice."""
    type: str
    timestamp: datetime
    data: dict[str, Any]


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str,
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> WebhookMessage:
    """Check a request to your webhook, and read it.

    `headers` as your framework has them, whatever their case; `body` as it came, byte by byte, not
    parsed and dumped again; `secret` is the `whsec_…` of the webhook. While a secret is rotated,
    both the old and the new one fit. WebhookVerificationError says what does not fit.
    """
    raw = body.encode() if isinstance(body, str) else bytes(body)
    given = {str(name).lower(): str(value) for name, value in headers.items()}
    missing = [
        name
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        if not given.get(name)
    ]
    if missing:
        raise WebhookVerificationError(f"the header {missing[0]} is missing")
    message_id, moment = given["webhook-id"], given["webhook-timestamp"]
    if not (moment.isascii() and moment.isdecimal()):
        raise WebhookVerificationError("webhook-timestamp is not a number of seconds")
    signed = f"{message_id}.{moment}.".encode() + raw
    wanted = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    if not any(
        hmac.compare_digest(wanted, signature)
        for signature in _signatures(given["webhook-signature"])
    ):
        raise WebhookVerificationError("no signature fits the secret and the body")
    if abs(time.time() - int(moment[:20])) > tolerance_seconds:
        raise WebhookVerificationError("the message is too old, or this machine's clock is wrong")
    return _read(message_id, raw)


def _read(message_id: str, raw: bytes) -> WebhookMessage:
    try:
        message = parse_json(raw)
        moment = datetime.fromisoformat(message["timestamp"])
        return WebhookMessage(message_id, message["type"], moment, message["data"])
    except (ValueError, KeyError, TypeError):
        raise WebhookVerificationError("the body is not a message of InfraPrism") from None


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the secret is the whsec_… that was shown for the webhook") from None


def _signatures(header: str) -> list[bytes]:
    found = []
    for one in header.split(" "):
        if one.startswith(_VERSION):
            try:
                found.append(base64.b64decode(one.removeprefix(_VERSION), validate=True))
            except (binascii.Error, ValueError):
                continue
    return found
