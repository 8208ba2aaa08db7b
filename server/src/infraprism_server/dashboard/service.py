"""Signing in and out of the dashboard. Orders the steps; the secrets are made in session.py."""

from __future__ import annotations

from sqlalchemy import Engine

from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.clock import Clock
from infraprism_server.dashboard import store
from infraprism_server.dashboard.session import (
    LINK_US,
    SESSION_US,
    Session,
    csrf_of,
    hash_of,
    new_token,
)
from infraprism_server.http.authentication import SCOPE_FULL


class SignInService:
    """Links, sessions and their ends. Safe for many threads."""

    def __init__(self, engine: Engine, clock: Clock, api_keys: ApiKeyService | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._api_keys = api_keys

    def make_link(self, account: int) -> str:
        """The token of a new one-time link, good for an hour; only its hash is stored."""
        token = new_token()
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            store.insert_link(connection, hash_of(token), account, now_us, now_us + LINK_US)
        return token

    def redeem_link(self, token: str, former: str | None) -> str | None:
        """A new session for the link, which is used up; None when it is no good.

        `former` is the browser's session until now: it ends here.
        """
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            account = store.take_link(connection, hash_of(token), now_us)
        return None if account is None else self._begin(account, former)

    def sign_in_with_key(self, key: str, former: str | None) -> str | None:
        """A new session for a key with scope full; None for every other text."""
        if self._api_keys is None:
            return None
        principal = self._api_keys.authenticate(key.strip())
        if principal is None or SCOPE_FULL not in principal.scopes:
            return None
        return self._begin(principal.account, former)

    def find(self, token: str | None) -> Session | None:
        """Who is signed in by this cookie; None when nobody is."""
        if not token:
            return None
        with self._engine.connect() as connection:
            account = store.find_session(connection, hash_of(token), self._clock.now_us())
        return None if account is None else Session(account, csrf_of(token))

    def sign_out(self, token: str) -> None:
        """End the session here: the cookie is worth nothing from now on."""
        with self._engine.begin() as connection:
            store.delete_session(connection, hash_of(token))

    def purge(self) -> None:
        """Forget what has expired."""
        with self._engine.begin() as connection:
            store.delete_expired(connection, self._clock.now_us())

    def _begin(self, account: int, former: str | None) -> str:
        token = new_token()
        now_us = self._clock.now_us()
        with self._engine.begin() as connection:
            if former:
                store.delete_session(connection, hash_of(former))
            store.insert_session(connection, hash_of(token), account, now_us, now_us + SESSION_US)
        return token
