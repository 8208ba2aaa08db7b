"""Queries over the control store's `accounts`; the caller owns the transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, or_, select
from sqlalchemy.exc import IntegrityError

from infraprism_server.accounts.account import Account
from infraprism_server.control_store.tables import accounts
from infraprism_server.errors import Conflict


def insert_account(connection: Connection, values: dict[str, Any]) -> int:
    """Store a new account and answer its number. Conflict when the e-mail is taken."""
    check_email_free(find_by_email(connection, values["email"]), None)
    try:
        result = connection.execute(accounts.insert().values(**values))
    except IntegrityError:  # on PostgreSQL another transaction may have been as fast
        raise _email_taken() from None
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def find_account(connection: Connection, number: int) -> Account | None:
    return _one(connection, _ACCOUNT.where(accounts.c.number == number))


def find_by_id(connection: Connection, account_id: str) -> Account | None:
    return _one(connection, _ACCOUNT.where(accounts.c.id == account_id))


def find_by_email(connection: Connection, email: str) -> Account | None:
    """The account of an e-mail address, whatever its upper and lower case."""
    same = or_(accounts.c.email == email, func.lower(accounts.c.email) == email.lower())
    return _one(connection, _ACCOUNT.where(same).limit(1))


def select_accounts(connection: Connection, limit: int, offset: int) -> list[Account]:
    """A page of accounts, oldest first."""
    page = _ACCOUNT.order_by(accounts.c.number).limit(limit).offset(offset)
    return [_account(row) for row in connection.execute(page).mappings()]


def count_accounts(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(accounts)).scalar_one())


def update_account(connection: Connection, number: int, values: dict[str, Any]) -> None:
    """Change an account's columns. Conflict when the new e-mail is taken."""
    statement = accounts.update().where(accounts.c.number == number).values(**values)
    try:
        connection.execute(statement)
    except IntegrityError:
        raise _email_taken() from None


def check_email_free(holder: Account | None, number: int | None) -> None:
    """Conflict when the account that has an e-mail is another than `number`."""
    if holder is not None and holder.number != number:
        raise _email_taken()


_ACCOUNT = select(accounts)


def _one(connection: Connection, statement: Select[Any]) -> Account | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else _account(row)


def _account(row: RowMapping) -> Account:
    return Account(
        number=row["number"],
        id=row["id"],
        email=row["email"],
        name=row["name"],
        company=row["company"],
        plan=row["plan"],
        own_rate_limit_per_minute=row["rate_limit_per_minute"],
        timezone=row["timezone"],
        retention_days=row["retention_days"],
        created_at_us=row["created_at_us"],
    )


def _email_taken() -> Conflict:
    return Conflict("There is an account with this e-mail address already", "email")
