"""What is sent: the body of a message, and the deliveries that one message becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from infraprism_server import ids
from infraprism_server.background.outbox import Message
from infraprism_server.http.wire import Instant, encode
from infraprism_server.webhooks.deliveries import DeliveryRow
from infraprism_server.webhooks.store import WebhookRow

DELIVERY: Final = "dlv"
TEST: Final = "webhook.test"


class _Body(msgspec.Struct, frozen=True):
    type: str
    timestamp: Instant
    data: msgspec.Raw


def body_text(kind: str, happened_at_us: int, data: bytes) -> str:
    """The body as Standard Webhooks has it: type, timestamp, data."""
    return encode(_Body(kind, Instant(happened_at_us), msgspec.Raw(data))).decode()


def fan_out(
    messages: Sequence[Message], endpoints: Sequence[WebhookRow], now_us: int
) -> list[DeliveryRow]:
    """A delivery for each endpoint of the message's account that subscribes to its type."""
    return [
        new_delivery(
            account=message.account,
            webhook=endpoint.id,
            message=message.id,
            kind=message.type,
            body=body_text(message.type, message.created_at_us, message.data.encode()),
            now_us=now_us,
        )
        for message in messages
        for endpoint in endpoints
        if endpoint.account == message.account and message.type in endpoint.events
    ]


def new_delivery(
    *, account: int, webhook: str, message: str, kind: str, body: str, now_us: int
) -> DeliveryRow:
    """A delivery that is due now."""
    return DeliveryRow(
        id=ids.new_id(DELIVERY),
        account=account,
        webhook=webhook,
        message=message,
        type=kind,
        body=body,
        status="pending",
        attempts=0,
        round_start=0,
        next_attempt_at_us=now_us,
        lease=None,
        leased_until_us=None,
        created_at_us=now_us,
        finished_at_us=None,
    )
