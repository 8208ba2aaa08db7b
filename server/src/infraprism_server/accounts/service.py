"""Accounts: made and changed by the operator, and in part by themselves."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Engine

from infraprism_server import ids
from infraprism_server.accounts import store
from infraprism_server.accounts.account import (
    Account,
    checked_email,
    checked_name,
    checked_retention,
    checked_timezone,
)
from infraprism_server.accounts.plan import ENTERPRISE, check_plan
from infraprism_server.accounts.schemas import PatchMe
from infraprism_server.clock import Clock
from infraprism_server.errors import NotFound

MAX_STALE_US = 900_000
"""What `get` answers is at most this old: what another process changed is seen within a second."""
_MAX_REMEMBERED = 10_000


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is made from. `rate_limit_per_minute` is for enterprise alone."""

    email: str
    name: str
    company: str = ""
    plan: str = "free"
    rate_limit_per_minute: int | None = None
    timezone: str = "UTC"
    retention_days: int | None = None


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator changes; UNSET stays as it is."""

    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    company: str | UnsetType = UNSET
    plan: str | UnsetType = UNSET
    rate_limit_per_minute: int | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    retention_days: int | UnsetType | None = UNSET


class AccountService:
    """Accounts by number, id or e-mail. Safe for many threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._remembered: dict[int, tuple[int, Account]] = {}

    def create(self, new: NewAccount) -> Account:
        """Make an account. InvalidRequest names a bad field, Conflict a taken e-mail."""
        check_plan(new.plan, new.rate_limit_per_minute)
        values = {
            "id": ids.new_id(ids.ACCOUNT),
            "email": checked_email(new.email),
            "name": checked_name(new.name, "name"),
            "company": checked_name(new.company, "company", may_be_empty=True),
            "plan": new.plan,
            "rate_limit_per_minute": new.rate_limit_per_minute,
            "timezone": checked_timezone(new.timezone),
            "retention_days": checked_retention(new.retention_days),
            "created_at_us": self._clock.now_us(),
        }
        with self._engine.begin() as connection:
            number = store.insert_account(connection, values)
            return _existing(store.find_account(connection, number))

    def get(self, number: int) -> Account:
        """The account, at most 0.9 s old; every request asks. NotFound when there is none."""
        now_us = self._clock.now_us()
        remembered = self._remembered.get(number)
        # A clock that was set back must not make a memory last longer.
        if remembered is not None and 0 <= now_us - remembered[0] <= MAX_STALE_US:
            return remembered[1]
        account = self.read(number)
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[number] = (now_us, account)
        return account

    def read(self, number: int) -> Account:
        """The account as it is stored now. NotFound when there is none."""
        with self._engine.connect() as connection:
            return _existing(store.find_account(connection, number))

    def resolve(self, reference: str) -> Account:
        """The account with this id or e-mail address. NotFound says how to list them."""
        reference = reference.strip()
        with self._engine.connect() as connection:
            account = store.find_by_id(connection, reference)
            account = account or store.find_by_email(connection, reference)
        if account is None:
            raise NotFound(
                f"There is no account '{reference[:254]}'; `infraprism accounts list` shows them",
                "account",
            )
        return account

    def page(self, limit: int, offset: int = 0) -> tuple[list[Account], int]:
        """A page of accounts, oldest first, and how many there are in all."""
        with self._engine.connect() as connection:
            found = store.select_accounts(connection, limit, offset)
            return found, store.count_accounts(connection)

    def count(self) -> int:
        """How many accounts there are."""
        with self._engine.connect() as connection:
            return store.count_accounts(connection)

    def patch(self, number: int, patch: PatchMe) -> Account:
        """What an account changes of itself."""
        return self.update(
            number,
            AccountChanges(
                name=patch.name,
                company=patch.company,
                timezone=patch.timezone,
                retention_days=patch.retention_days,
            ),
        )

    def update(self, number: int, changes: AccountChanges) -> Account:
        """Change an account, all or nothing. A plan other than enterprise drops its own rate."""
        with self._engine.begin() as connection:
            account = _existing(store.find_account(connection, number))
            values = _values(changes)
            if "email" in values:
                other = store.find_by_email(connection, values["email"])
                store.check_email_free(other, number)
            plan = values.get("plan", account.plan)
            rate = values.get("rate_limit_per_minute")
            if plan == ENTERPRISE and rate is None:
                rate = account.own_rate_limit_per_minute
            check_plan(plan, rate)
            values["rate_limit_per_minute"] = rate
            store.update_account(connection, number, values)
            changed = _existing(store.find_account(connection, number))
        self._remembered.pop(number, None)
        return changed


def _values(changes: AccountChanges) -> dict[str, Any]:
    given: dict[str, Any] = {
        name: value
        for name in changes.__struct_fields__
        if (value := getattr(changes, name)) is not UNSET
    }
    if "email" in given:
        given["email"] = checked_email(given["email"])
    if "name" in given:
        given["name"] = checked_name(given["name"], "name")
    if "company" in given:
        given["company"] = checked_name(given["company"], "company", may_be_empty=True)
    if "timezone" in given:
        given["timezone"] = checked_timezone(given["timezone"])
    if "retention_days" in given:
        given["retention_days"] = checked_retention(given["retention_days"])
    return given


def _existing(account: Account | None) -> Account:
    if account is None:
        raise NotFound("There is no such account")
    return account
