"""API keys: made, listed, deleted, and believed or not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.accounts.account import checked_name
from infraprism_server.accounts.service import AccountService
from infraprism_server.api_keys import store
from infraprism_server.api_keys.key import (
    hash_of,
    is_well_formed,
    new_key,
    same_hash,
    shown_prefix,
)
from infraprism_server.api_keys.last_used import FLUSH_INTERVAL_SECONDS, LastUsed
from infraprism_server.api_keys.schemas import CreatedKeyOut, CreateKey, KeyOut, Scope
from infraprism_server.api_keys.scopes import checked_scopes
from infraprism_server.api_keys.store import KeyPosition, KeyRow
from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock, to_us
from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.http.authentication import Principal
from infraprism_server.http.idempotency import Created, IdempotentRequest, run_idempotent
from infraprism_server.http.wire import Instant, instant

MAX_STALE_US = 900_000
"""A believed key is looked up again after this: wherever it was deleted, it dies in a second."""
MAX_LIFETIME_US = 100 * 366 * MICROSECONDS_PER_DAY
_MAX_BELIEVED = 50_000

__all__ = ["FLUSH_INTERVAL_SECONDS", "ApiKeyService", "KeyPage", "KeyPosition"]


class KeyPage(msgspec.Struct, frozen=True):
    """Keys, how many there are in all, and where the next page starts, when there is one."""

    keys: list[KeyOut]
    total: int
    next_position: KeyPosition | None


class _Belief(msgspec.Struct, frozen=True):
    since_us: int
    until_us: int
    principal: Principal


class ApiKeyService:
    """The authenticator, and what its keys are made by. Safe for many threads."""

    def __init__(self, engine: Engine, accounts: AccountService, clock: Clock) -> None:
        self._engine = engine
        self._accounts = accounts
        self._clock = clock
        self._last_used = LastUsed(engine)
        self._believed: dict[bytes, _Belief] = {}

    def create(
        self, account: int, new: CreateKey, idempotent: IdempotentRequest | None = None
    ) -> CreatedKeyOut:
        """Make a key; its text is in the answer and nowhere else.

        With an idempotency key, a replay is Conflict naming the key that was made.
        """
        now_us = self._clock.now_us()
        text = new_key()
        row = KeyRow(
            id=ids.new_id(ids.KEY),
            account=account,
            name=checked_name(new.name, "name"),
            prefix=shown_prefix(text),
            hash=hash_of(text),
            scopes=checked_scopes(new.scopes),
            created_at_us=now_us,
            expires_at_us=_expiry(new.expires_at, now_us),
            last_used_at_us=None,
        )

        def insert(connection: Connection) -> Created:
            store.insert_key(connection, row)
            return Created(object_id=row.id, status=201, answer=None)

        with self._engine.begin() as connection:
            if idempotent is None:
                insert(connection)
            else:
                run_idempotent(connection, account, idempotent, now_us, insert)
        return CreatedKeyOut(
            id=row.id,
            name=row.name,
            key=text,
            prefix=row.prefix,
            created_at=Instant(now_us),
            scopes=_scopes(row),
            expires_at=instant(row.expires_at_us),
        )

    def page(
        self, account: int, limit: int, offset: int = 0, after: KeyPosition | None = None
    ) -> KeyPage:
        """A page of the account's keys, newest first; `after` goes on where a page ended."""
        with self._engine.connect() as connection:
            rows = store.select_keys(connection, account, limit + 1, offset, after)
            total = store.count_keys(connection, account)
        shown = rows[:limit]
        more = len(rows) > limit
        position = KeyPosition(shown[-1].created_at_us, shown[-1].id) if more else None
        return KeyPage([_key_out(row) for row in shown], total, position)

    def delete(self, account: int, key_id: str) -> None:
        """Delete a key: at once here, within a second in other processes. NotFound if none."""
        with self._engine.begin() as connection:
            if not store.delete_key(connection, account, key_id):
                raise NotFound("There is no API key with this id", "key_id")
        for digest, belief in list(self._believed.items()):
            if belief.principal.key_id == key_id:
                self._believed.pop(digest, None)

    def recall(self, text: str) -> Principal | None:
        """The principal of a key that was believed in the last 0.9 s; else None. Never waits."""
        if not is_well_formed(text):
            return None
        return self._recall(hash_of(text), self._clock.now_us())

    def authenticate(self, text: str) -> Principal | None:
        """The principal, or None: malformed, unknown, expired and deleted are not told apart.

        The checksum comes first, so that a typo or a guess costs no look-up. Only keys that are
        good are remembered: a key that was just made works at once.
        """
        if not is_well_formed(text):
            return None
        digest = hash_of(text)
        now_us = self._clock.now_us()  # before the look-up: a memory is as old as what was read
        principal = self._recall(digest, now_us)
        if principal is not None:
            return principal
        with self._engine.connect() as connection:
            row = store.find_by_hash(connection, digest)
        if row is None or not same_hash(row.hash, digest):
            return None
        if row.expires_at_us is not None and row.expires_at_us <= now_us:
            return None
        account = self._accounts.read(row.account)
        principal = Principal(
            account=account.number,
            account_id=account.id,
            key_id=row.id,
            scopes=frozenset(row.scopes),
            requests_per_minute=account.rate_limit_per_minute,
        )
        until_us = now_us + MAX_STALE_US
        if row.expires_at_us is not None:
            until_us = min(until_us, row.expires_at_us - 1)
        self._remember(digest, _Belief(now_us, until_us, principal))
        self._last_used.note(row.id, now_us)
        return principal

    def flush_last_used(self) -> None:
        """Write down when keys were used; every FLUSH_INTERVAL_SECONDS and at close."""
        self._last_used.flush()

    def _recall(self, digest: bytes, now_us: int) -> Principal | None:
        belief = self._believed.get(digest)
        # Not before either: a clock that was set back must not make a belief last longer.
        if belief is None or not belief.since_us <= now_us <= belief.until_us:
            return None
        return belief.principal

    def _remember(self, digest: bytes, belief: _Belief) -> None:
        if len(self._believed) >= _MAX_BELIEVED:
            self._believed.clear()
        self._believed[digest] = belief


def _expiry(moment: datetime | None, now_us: int) -> int | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidRequest("'expires_at' needs an offset, such as Z", "expires_at")
    expires_at_us = to_us(moment)
    if not now_us < expires_at_us <= now_us + MAX_LIFETIME_US:
        raise InvalidRequest("'expires_at' is in the future, at most 100 years", "expires_at")
    return expires_at_us


def _scopes(row: KeyRow) -> list[Scope]:
    return cast("list[Scope]", list(row.scopes))


def _key_out(row: KeyRow) -> KeyOut:
    fields: dict[str, Any] = {"id": row.id, "name": row.name, "prefix": row.prefix}
    return KeyOut(
        **fields,
        created_at=Instant(row.created_at_us),
        last_used_at=instant(row.last_used_at_us),
        scopes=_scopes(row),
        expires_at=instant(row.expires_at_us),
    )
