"""The steps of delivering, each one transaction: fan out, lease, record, give back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
import uuid_utils
from sqlalchemy import Connection, Engine

from infraprism_server.background import outbox
from infraprism_server.clock import Clock
from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks import deliveries, store
from infraprism_server.webhooks.attempt import Attempt, next_attempt_us, reason_to_disable
from infraprism_server.webhooks.deliveries import DeliveryRow
from infraprism_server.webhooks.message import fan_out
from infraprism_server.webhooks.service import secret_context
from infraprism_server.webhooks.store import WebhookRow

FAN_OUT_MESSAGES: Final = 200

log = structlog.get_logger(__name__)


class Leased(msgspec.Struct, frozen=True):
    """A delivery that is ours to send, where it goes and the secrets that sign it now."""

    row: DeliveryRow
    url: str
    sealed: list[bytes]
    failing: bool
    """Whether the endpoint has failed since its last success: such ones share fewer places."""


class Dispatch:
    """The control store's part of delivering. Safe for many threads, and many processes."""

    def __init__(self, engine: Engine, clock: Clock, box: SecretBox) -> None:
        self._engine = engine
        self._clock = clock
        self._box = box
        self._holder = uuid_utils.uuid7().hex
        self._random = random.SystemRandom()

    def fan_out(self) -> int:
        """Make deliveries of what the outbox holds; how many messages there were."""
        with self._engine.connect() as connection:  # without the write lock: mostly it is empty
            if outbox.count_waiting(connection) == 0:
                return 0
        with self._engine.begin() as connection:
            messages = outbox.take(connection, FAN_OUT_MESSAGES)
            accounts = sorted({message.account for message in messages})
            endpoints = store.select_enabled(connection, accounts)
            rows = fan_out(messages, endpoints, self._clock.now_us())
            deliveries.insert_deliveries(connection, rows)
        return len(messages)

    def lease(
        self, limit: int, per_webhook: int, busy: Sequence[str], *, skip_failing: bool = False
    ) -> list[Leased]:
        """Take what is due, a bounded number for each endpoint and none for the busy ones."""
        now_us = self._clock.now_us()
        with self._engine.connect() as connection:
            due = deliveries.select_due(
                connection, now_us, limit, per_webhook, busy, skip_failing=skip_failing
            )
        if not due:
            return []
        leased: list[Leased] = []
        with self._engine.begin() as connection:
            for row, failing in due:
                endpoint = store.find_webhook(connection, row.account, row.webhook)
                if endpoint is None or not deliveries.lease(
                    connection, row.id, self._holder, now_us
                ):
                    continue
                leased.append(Leased(row, endpoint.url, _sealed(endpoint, now_us), failing))
        return leased

    def secrets_of(self, leased: Leased) -> list[str]:
        """The secrets in clear. SecretUnreadable when the installation's key is another one."""
        context = secret_context(leased.row.webhook)
        return [self._box.open(sealed, context) for sealed in leased.sealed]

    def record(self, leased: Leased, attempt: Attempt) -> None:
        """Write the attempt down, and what follows from it for delivery and endpoint."""
        row = leased.row
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            endpoint = store.find_webhook(connection, row.account, row.webhook)
            if endpoint is None:  # deleted meanwhile, with its deliveries
                return
            if attempt.succeeded:
                done = {"status": "delivered", "next_attempt_at_us": None, "finished_at_us": now_us}
                if deliveries.record(connection, row, self._holder, attempt, **done):
                    store.update_webhook(
                        connection, row.account, row.webhook, failing_since_us=None
                    )
                return
            self._record_failure(connection, endpoint, row, attempt, now_us)

    def give_back(self, leased: Leased) -> None:
        """Unsent, or cut off by a shutdown: due at once for the next sender."""
        with self._engine.begin() as connection:
            deliveries.release(connection, leased.row.id, self._holder)

    def _record_failure(
        self,
        connection: Connection,
        endpoint: WebhookRow,
        row: DeliveryRow,
        attempt: Attempt,
        now_us: int,
    ) -> None:
        reason = reason_to_disable(attempt, endpoint.failing_since_us, now_us)
        stopped = reason is not None or endpoint.disabled_reason is not None
        made = row.attempts + 1 - row.round_start
        due_us = None
        if not stopped:
            due_us = next_attempt_us(made, attempt, now_us, self._random.random())
        values: dict[str, object] = {"next_attempt_at_us": due_us}
        if due_us is None:
            values |= {"status": "failed", "finished_at_us": now_us}
        if not deliveries.record(connection, row, self._holder, attempt, **values):
            return
        changed: dict[str, object] = {}
        if endpoint.failing_since_us is None:
            changed["failing_since_us"] = now_us
        if reason is not None and endpoint.enabled:
            changed |= {"enabled": False, "disabled_reason": reason}
            deliveries.give_up_pending(connection, endpoint.id, now_us)
            log.warning("webhook_disabled", webhook=endpoint.id, reason=reason)
        if changed:
            store.update_webhook(connection, endpoint.account, endpoint.id, **changed)


def _sealed(endpoint: WebhookRow, now_us: int) -> list[bytes]:
    """The sealed secrets that sign now, newest first."""
    until_us = endpoint.former_secret_until_us
    if endpoint.former_secret is None or until_us is None or until_us <= now_us:
        return [endpoint.secret]
    return [endpoint.secret, endpoint.former_secret]
