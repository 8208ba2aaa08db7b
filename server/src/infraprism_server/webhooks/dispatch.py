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
    answered: bool
    """Whether the endpoint took what was sent to it last; one that did not may let us wait."""


class Dispatch:
    """The control store's part of delivering. Safe for many threads, and many processes."""

    def __init__(self, engine: Engine, clock: Clock, box: SecretBox) -> None:
        self._engine = engine
        self._clock = clock
        self._box = box
        self._holder = uuid_utils.uuid7().hex
        self._random = random.SystemRandom()

    def take_back(self) -> None:
        """Free what is leased, for an only process at its start: whoever leased it is dead."""
        with self._engine.begin() as connection:
            deliveries.release_all(connection)

    def any_due(self) -> bool:
        """Whether there is anything to fan out or to send: without the write lock; mostly no."""
        with self._engine.connect() as connection:
            return outbox.count_waiting(connection) > 0 or deliveries.any_due(
                connection, self._clock.now_us()
            )

    def fan_out(self) -> int:
        """Make deliveries of what the outbox holds; how many messages there were."""
        with self._engine.connect() as connection:
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
        self, answering: int, others: int, per_webhook: int, busy: Sequence[str]
    ) -> list[Leased]:
        """Take what is due: so many of endpoints that answer, so many of new and failing ones.

        Of each endpoint at most `per_webhook`, of the others a single one, of the `busy` none.
        """
        now_us = self._clock.now_us()
        due: list[DeliveryRow] = []
        with self._engine.connect() as connection:
            for limit, each, answered in ((answering, per_webhook, True), (others, 1, False)):
                if limit > 0:
                    due += deliveries.select_due(
                        connection, now_us, limit, each, busy, answered=answered
                    )
        if not due:
            return []
        leased: list[Leased] = []
        with self._engine.begin() as connection:
            for row in due:
                endpoint = store.find_webhook(connection, row.account, row.webhook)
                if endpoint is None or not deliveries.lease(
                    connection, row.id, self._holder, now_us
                ):
                    continue
                sealed = _sealed(endpoint, now_us)
                leased.append(Leased(row, endpoint.url, sealed, endpoint.answered))
        return leased

    def secrets_of(self, leased: Leased) -> list[str]:
        """The secrets in clear. SecretUnreadable when the installation's key is another one."""
        context = secret_context(leased.row.webhook)
        return [self._box.open(sealed, context) for sealed in leased.sealed]

    def record(self, made: Sequence[tuple[Leased, Attempt]]) -> None:
        """Write attempts down, and what follows from each for its delivery and endpoint.

        One transaction: a sync of the disk for all that ended meanwhile. What can not be written
        is left out, is sent again when its lease is over, and holds up none of the others.
        """
        if not made:
            return
        try:
            with self._engine.begin() as connection:
                for leased, attempt in made:
                    self._record(connection, leased.row, attempt)
        except Exception as error:  # noqa: BLE001 - whatever the store has against one of them
            if len(made) == 1:
                log.error(  # noqa: TRY400 - one line for each of hundreds
                    "delivery_not_recorded", delivery=made[0][0].row.id, error=repr(error)[:500]
                )
                return
            for each in made:
                self.record([each])

    def _record(self, connection: Connection, row: DeliveryRow, attempt: Attempt) -> None:
        now_us = self._clock.now_us()
        endpoint = store.find_webhook(connection, row.account, row.webhook)
        if endpoint is None:  # deleted meanwhile, with its deliveries
            return
        if not attempt.succeeded:
            self._record_failure(connection, endpoint, row, attempt, now_us)
            return
        done = {"status": "delivered", "next_attempt_at_us": None, "finished_at_us": now_us}
        written = deliveries.record(connection, row, self._holder, attempt, **done)
        if written and not endpoint.answered:
            store.update_webhook(
                connection, row.account, row.webhook, answered=True, failing_since_us=None
            )

    def give_back(self, cut: Sequence[Leased]) -> None:
        """Unsent, or cut off by a shutdown: due at once for the next sender."""
        if cut:
            with self._engine.begin() as connection:
                deliveries.release(connection, [each.row.id for each in cut], self._holder)

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
        changed: dict[str, object] = {"answered": False}
        if endpoint.failing_since_us is None:
            changed["failing_since_us"] = now_us
        if reason is not None and endpoint.enabled:
            changed |= {"enabled": False, "disabled_reason": reason}
            deliveries.give_up_pending(connection, endpoint.id, now_us)
            log.warning("webhook_disabled", webhook=endpoint.id, reason=reason)
        store.update_webhook(connection, endpoint.account, endpoint.id, **changed)


def _sealed(endpoint: WebhookRow, now_us: int) -> list[bytes]:
    """The sealed secrets that sign now, newest first."""
    until_us = endpoint.former_secret_until_us
    if endpoint.former_secret is None or until_us is None or until_us <= now_us:
        return [endpoint.secret]
    return [endpoint.secret, endpoint.former_secret]
