"""Webhooks and deliveries as they go over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from infraprism_server.http.pagination import Cursor, Limit, Offset, Pagination
from infraprism_server.http.wire import Instant
from infraprism_server.webhooks.attempt import DeliveryStatus
from infraprism_server.webhooks.target import MAX_URL_CHARS

EventType = Literal[
    "anomaly.detected",
    "limit.reached",
    "limit.approaching",
    "export.completed",
    "pricing.unpriced",
]
WebhookId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="The webhook's id.")
]
DeliveryId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, description="The delivery's id.")
]
Url = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="Where messages are posted: https, port 443 or 8443, a public address.",
        examples=["https://your-app.com/webhook"],
    ),
]
Events = Annotated[
    tuple[EventType, ...],
    msgspec.Meta(min_length=1, max_length=20, description="What to be told of."),
]


class CreateWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to make."""

    url: Url
    events: Events


class ChangeWebhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is absent stays."""

    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: Events | msgspec.UnsetType = msgspec.UNSET
    enabled: bool | msgspec.UnsetType = msgspec.UNSET


class WebhookOut(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint without its secret."""

    id: str
    url: str
    events: list[EventType]
    enabled: bool
    created_at: Instant
    disabled_reason: str | None
    """Why InfraPrism disabled it: 410, or five days of failures."""
    failing_since: Instant | None
    """The first failure after the last success."""
    former_secret_until: Instant | None
    """Until when the secret before the last rotation signs as well."""


class SecretOut(WebhookOut, frozen=True, kw_only=True):
    """An endpoint and its new secret: shown here, once, and nowhere again."""

    secret: str

    def __repr__(self) -> str:
        # A log line or a traceback that shows the object must not show the secret.
        return f"SecretOut(id={self.id!r}, secret='whsec_...')"


class WebhookList(msgspec.Struct, frozen=True):
    data: list[WebhookOut]
    pagination: Pagination


class AttemptOut(msgspec.Struct, frozen=True, kw_only=True):
    """One try. Without an answer `status_code` is null and `error` says why."""

    number: int
    started_at: Instant
    duration_ms: int
    status_code: int | None
    error: str | None
    response_excerpt: str | None


class DeliveryOut(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one endpoint. `message_id` is the `webhook-id` it carries."""

    id: str
    message_id: str
    type: str
    status: DeliveryStatus
    created_at: Instant
    next_attempt_at: Instant | None
    finished_at: Instant | None
    attempts: list[AttemptOut]


class DeliveryList(msgspec.Struct, frozen=True):
    data: list[DeliveryOut]
    pagination: Pagination


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Newest first."""

    limit: Limit = 100
    offset: Offset = 0
    cursor: Cursor | None = None


class WebhookDeletedOut(msgspec.Struct, frozen=True):
    deleted: bool = True
