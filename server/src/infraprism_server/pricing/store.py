"""Control-store queries of pricing: rates as they were used, and overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, and_, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from infraprism_server.control_store.tables import price_overrides, price_rates, unpriced_alerts
from infraprism_server.pricing.overrides import Override
from infraprism_server.pricing.rate_card import RateCard, canonical_json, card_from_json


def keep_card(engine: Engine, card: RateCard, card_digest: str, now_us: int) -> int:
    """The number of the row that holds a card, which is inserted where it is new.

    Two processes may insert the same card at once: the digest is unique and both read one row.
    """
    found = _find_number(engine, card_digest)
    if found is not None:
        return found
    row = {
        "digest": card_digest,
        "provider": card.provider,
        "model": card.model,
        "rates": canonical_json(card),
        "created_at_us": now_us,
    }
    try:
        with engine.begin() as connection:
            connection.execute(insert(price_rates).values(row))
    except IntegrityError:
        pass  # someone else was first: the row below is theirs
    stored = _find_number(engine, card_digest)
    if stored is None:
        raise RuntimeError("a rate row is missing right after it was written")
    return stored


def find_card(engine: Engine, number: int) -> RateCard | None:
    """The card of a row, or None."""
    query = select(price_rates.c.rates).where(price_rates.c.id == number)
    with engine.connect() as connection:
        text = connection.execute(query).scalar_one_or_none()
    return None if text is None else card_from_json(text)


def all_overrides(engine: Engine, account: int) -> list[Override]:
    """Every override of an account, newest first. Bounded by MAX_PER_ACCOUNT at creation."""
    query = (
        select(price_overrides)
        .where(price_overrides.c.account == account)
        .order_by(price_overrides.c.created_at_us.desc(), price_overrides.c.id.desc())
    )
    with engine.connect() as connection:
        return [_override(row) for row in connection.execute(query).mappings()]


def override_page(
    engine: Engine, account: int, limit: int, offset: int
) -> tuple[list[Override], int]:
    """One page of an account's overrides, newest first, and how many there are in all."""
    of_account = price_overrides.c.account == account
    query = (
        select(price_overrides)
        .where(of_account)
        .order_by(price_overrides.c.created_at_us.desc(), price_overrides.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    count = select(func.count()).select_from(price_overrides).where(of_account)
    with engine.connect() as connection:
        rows = [_override(row) for row in connection.execute(query).mappings()]
        return rows, connection.execute(count).scalar_one()


def add_override(connection: Connection, account: int, override: Override) -> None:
    """Store an override."""
    row: dict[str, Any] = msgspec.structs.asdict(override)
    prices = row.pop("prices")
    row["rates"] = None if prices is None else msgspec.json.encode(prices).decode()
    connection.execute(insert(price_overrides).values(account=account, **row))


def remove_override(engine: Engine, account: int, override_id: str) -> bool:
    """Delete an account's override. False when it has none with this id."""
    gone = delete(price_overrides).where(
        price_overrides.c.account == account, price_overrides.c.id == override_id
    )
    with engine.begin() as connection:
        return connection.execute(gone).rowcount == 1


def _find_number(engine: Engine, card_digest: str) -> int | None:
    query = select(price_rates.c.id).where(price_rates.c.digest == card_digest)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def _override(row: Mapping[Any, Any]) -> Override:
    fields = {name: row[name] for name in Override.__struct_fields__ if name != "prices"}
    rates = row["rates"]
    prices = None if rates is None else msgspec.json.decode(rates, type=dict[str, str])
    return Override(**fields, prices=prices)


def is_unpriced_told(connection: Connection, account: int, day: str) -> bool:
    """Whether the account was told of an unpriced model that day."""
    same = and_(unpriced_alerts.c.account == account, unpriced_alerts.c.day == day)
    return connection.execute(select(unpriced_alerts.c.day).where(same)).first() is not None


def insert_unpriced_told(connection: Connection, account: int, day: str, now_us: int) -> None:
    """Note what is told in this transaction; IntegrityError when another process just did."""
    row = {"account": account, "day": day, "created_at_us": now_us}
    connection.execute(insert(unpriced_alerts).values(row))
