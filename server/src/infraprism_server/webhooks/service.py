"""Webhooks: endpoints and their secrets, tests, what was delivered and what is sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.background.outbox import MESSAGE
from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock
from infraprism_server.errors import Conflict, NotFound
from infraprism_server.http.idempotency import (
    Created,
    IdempotentRequest,
    answer_once,
    run_idempotent,
)
from infraprism_server.http.wire import Instant, encode, instant
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks import deliveries, store
from infraprism_server.webhooks.deliveries import AttemptRow, DeliveryRow
from infraprism_server.webhooks.message import TEST, body_text, new_delivery
from infraprism_server.webhooks.schemas import (
    AttemptOut,
    ChangeWebhook,
    CreateWebhook,
    DeliveryOut,
    EventType,
    SecretOut,
    WebhookOut,
)
from infraprism_server.webhooks.signature import new_secret
from infraprism_server.webhooks.store import Position, WebhookRow
from infraprism_server.webhooks.target import is_allowed, not_public, parse_target

WEBHOOK: Final = "wh"
MAX_WEBHOOKS: Final = 100
FORMER_SECRET_US: Final = MICROSECONDS_PER_DAY
LookUp = Callable[[str, int], list[str]]


class WebhookPage(msgspec.Struct, frozen=True):
    """A page of endpoints, how many there are, and where the next page starts."""

    data: list[WebhookOut]
    total: int
    next_position: Position | None


class DeliveryPage(msgspec.Struct, frozen=True):
    """A page of deliveries, how many there are, and where the next page starts."""

    data: list[DeliveryOut]
    total: int
    next_position: Position | None


class TestMessage(msgspec.Struct, frozen=True):
    """The data of `webhook.test`."""

    webhook_id: str
    text: str = "It works: this is a test from InfraPrism."


class WebhookService:
    """What can be done with webhooks. Every method says whose they are."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        box: SecretBox,
        *,
        allow_private: bool,
        look_up: LookUp,
    ) -> None:
        """`look_up` answers every address of a name, or raises OSError."""
        self._engine = engine
        self._clock = clock
        self._box = box
        self._allow_private = allow_private
        self._look_up = look_up

    def create(
        self, account: int, new: CreateWebhook, idempotent: IdempotentRequest | None = None
    ) -> SecretOut:
        """Make an endpoint; its secret is in the answer and nowhere else."""
        self._check_url(new.url)
        now_us = self._clock.now_us()
        secret = new_secret()
        webhook_id = ids.new_id(WEBHOOK)
        row = WebhookRow(
            id=webhook_id,
            account=account,
            url=new.url,
            events=tuple(dict.fromkeys(new.events)),
            enabled=True,
            disabled_reason=None,
            secret=self._box.seal(secret, secret_context(webhook_id)),
            former_secret=None,
            former_secret_until_us=None,
            failing_since_us=None,
            answered=False,
            created_at_us=now_us,
        )

        def make(connection: Connection) -> Created:
            if store.count_webhooks(connection, account) >= MAX_WEBHOOKS:
                raise Conflict(f"An account has at most {MAX_WEBHOOKS} webhooks; delete one")
            store.insert_webhook(connection, row)
            return Created(object_id=webhook_id, status=201, answer=None)

        with self._engine.begin() as connection:
            if idempotent is None:
                make(connection)
            else:
                run_idempotent(connection, account, idempotent, now_us, make)
        return self._with_secret(row, secret)

    def page(self, account: int, limit: int, offset: int, after: Position | None) -> WebhookPage:
        """Newest first; `after` goes on where a page ended."""
        with self._engine.connect() as connection:
            rows = store.select_webhooks(connection, account, limit + 1, offset, after)
            total = store.count_webhooks(connection, account)
        shown = rows[:limit]
        position = Position(shown[-1].created_at_us, shown[-1].id) if len(rows) > limit else None
        return WebhookPage([self._out(row) for row in shown], total, position)

    def get(self, account: int, webhook_id: str) -> WebhookOut:
        """The endpoint, or NotFound."""
        with self._engine.connect() as connection:
            return self._out(_find(connection, account, webhook_id))

    def change(self, account: int, webhook_id: str, change: ChangeWebhook) -> WebhookOut:
        """Change what is given. Enabling forgets why it was disabled."""
        values: dict[str, object] = {}
        if change.url is not msgspec.UNSET:
            self._check_url(change.url)
            # What the former address did says nothing about this one.
            values |= {"url": change.url, "failing_since_us": None, "answered": False}
        if change.events is not msgspec.UNSET:
            values["events"] = store.events_text(tuple(dict.fromkeys(change.events)))
        if change.enabled is not msgspec.UNSET:
            values["enabled"] = change.enabled
            if change.enabled:
                values |= {"disabled_reason": None, "failing_since_us": None}
        with self._engine.begin() as connection:
            _find(connection, account, webhook_id)
            if values:
                store.update_webhook(connection, account, webhook_id, **values)
            return self._out(_find(connection, account, webhook_id))

    def delete(self, account: int, webhook_id: str) -> None:
        """Delete the endpoint and what was and was not delivered. NotFound if there is none."""
        with self._engine.begin() as connection:
            if not store.delete_webhook(connection, account, webhook_id):
                raise _no_webhook()

    def rotate_secret(self, account: int, webhook_id: str) -> SecretOut:
        """A new secret; the one before it signs as well for 24 hours."""
        now_us = self._clock.now_us()
        secret = new_secret()
        with self._engine.begin() as connection:
            row = _find(connection, account, webhook_id)
            store.update_webhook(
                connection,
                account,
                webhook_id,
                secret=self._box.seal(secret, secret_context(webhook_id)),
                former_secret=row.secret,
                former_secret_until_us=now_us + FORMER_SECRET_US,
            )
            return self._with_secret(_find(connection, account, webhook_id), secret)

    def test(self, account: int, webhook_id: str, idempotent: IdempotentRequest | None) -> bytes:
        """Queue a `webhook.test` for this endpoint, whatever it subscribes to; the answer's body.

        Conflict when the endpoint is disabled.
        """
        now_us = self._clock.now_us()

        def make(connection: Connection) -> tuple[str, bytes]:
            _enabled(_find(connection, account, webhook_id))
            data = encode(TestMessage(webhook_id))
            row = new_delivery(
                account=account,
                webhook=webhook_id,
                message=ids.new_id(MESSAGE),
                kind=TEST,
                body=body_text(TEST, now_us, data),
                now_us=now_us,
            )
            deliveries.insert_deliveries(connection, [row])
            return row.id, encode(_delivery_out(row, []))

        return answer_once(self._engine, account, idempotent, now_us, make)

    def delivery_page(
        self, account: int, webhook_id: str, limit: int, offset: int, after: Position | None
    ) -> DeliveryPage:
        """Deliveries with their attempts, newest first. NotFound without the endpoint."""
        with self._engine.connect() as connection:
            _find(connection, account, webhook_id)
            rows = deliveries.select_deliveries(
                connection, account, webhook_id, limit=limit + 1, offset=offset, after=after
            )
            total = deliveries.count_deliveries(connection, account, webhook_id)
            shown = rows[:limit]
            attempts = deliveries.select_attempts(connection, [row.id for row in shown])
        position = Position(shown[-1].created_at_us, shown[-1].id) if len(rows) > limit else None
        return DeliveryPage(
            [_delivery_out(row, attempts[row.id]) for row in shown], total, position
        )

    def redeliver(self, account: int, webhook_id: str, delivery_id: str) -> DeliveryOut:
        """Send a delivery again, at once, with the same message id and ten attempts before it.

        One that is being sent right now is answered as it is. Conflict when the endpoint is
        disabled.
        """
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            _enabled(_find(connection, account, webhook_id))
            row = deliveries.find_delivery(connection, account, webhook_id, delivery_id)
            if row is None:
                raise NotFound("There is no delivery with this id", "delivery_id")
            if row.leased_until_us is None or row.leased_until_us <= now_us:
                deliveries.start_again(connection, row, now_us)
            again = deliveries.find_delivery(connection, account, webhook_id, delivery_id)
            attempts = deliveries.select_attempts(connection, [delivery_id])[delivery_id]
        assert again is not None
        return _delivery_out(again, attempts)

    def purge(self) -> int:
        """Forget deliveries that were finished 30 days ago."""
        with self._engine.begin() as connection:
            return deliveries.purge(connection, self._clock.now_us())

    def _check_url(self, url: str) -> None:
        target = parse_target(url, allow_private=self._allow_private)
        try:
            addresses = self._look_up(target.host, target.port)
        except (OSError, UnicodeError):
            return  # it may get its name later, or in time: every attempt looks again
        if not all(is_allowed(each, allow_private=self._allow_private) for each in addresses):
            raise not_public()

    def _out(self, row: WebhookRow) -> WebhookOut:
        return WebhookOut(**self._fields(row))

    def _with_secret(self, row: WebhookRow, secret: str) -> SecretOut:
        return SecretOut(**self._fields(row), secret=secret)

    def _fields(self, row: WebhookRow) -> dict[str, Any]:
        until_us = row.former_secret_until_us
        both_sign = until_us is not None and until_us > self._clock.now_us()
        return {
            "id": row.id,
            "url": row.url,
            "events": cast("list[EventType]", list(row.events)),
            "enabled": row.enabled,
            "created_at": Instant(row.created_at_us),
            "disabled_reason": row.disabled_reason,
            "failing_since": instant(row.failing_since_us),
            "former_secret_until": instant(until_us) if both_sign else None,
        }


def secret_context(webhook_id: str) -> str:
    """Whose secret it is, for the box it is sealed in."""
    return f"webhook/{webhook_id}"


def _find(connection: Connection, account: int, webhook_id: str) -> WebhookRow:
    row = store.find_webhook(connection, account, webhook_id)
    if row is None:
        raise _no_webhook()
    return row


def _no_webhook() -> NotFound:
    return NotFound("There is no webhook with this id", "webhook_id")


def _enabled(row: WebhookRow) -> None:
    if not row.enabled:
        raise Conflict("This webhook is disabled; enable it first")


def _delivery_out(row: DeliveryRow, attempts: list[AttemptRow]) -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        message_id=row.message,
        type=row.type,
        status=row.status,
        created_at=Instant(row.created_at_us),
        next_attempt_at=instant(row.next_attempt_at_us),
        finished_at=instant(row.finished_at_us),
        attempts=[
            AttemptOut(
                number=each.number,
                started_at=Instant(each.started_at_us),
                duration_ms=each.duration_ms,
                status_code=each.status_code,
                error=each.error,
                response_excerpt=each.response_excerpt,
            )
            for each in attempts
        ],
    )
