"""The account as it goes over the wire: GET and PATCH /v1/me."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from infraprism_server.accounts.account import (
    MAX_NAME_CHARS,
    MAX_RETENTION_DAYS,
    NAME_PATTERN,
    Account,
)
from infraprism_server.http.fields import printable
from infraprism_server.http.wire import Instant

Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=MAX_NAME_CHARS,
        description="Name of the person or team that owns it.",
        extra_json_schema={"pattern": NAME_PATTERN},
    ),
]
Company = Annotated[str, printable(MAX_NAME_CHARS, "Company; may be empty.", min_length=0)]
Timezone = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        description="IANA time zone that dates without an offset are read in.",
        examples=["Europe/Berlin"],
    ),
]
RetentionDays = Annotated[
    int,
    msgspec.Meta(
        ge=1, le=MAX_RETENTION_DAYS, description="Days that events are kept; null keeps them."
    ),
]


class MeOut(msgspec.Struct, frozen=True):
    """The account whose key is used."""

    id: str
    email: str
    name: str
    company: str
    plan: str
    created_at: Instant
    timezone: str
    retention_days: int | None
    rate_limit_per_minute: int


class PatchMe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an account may change of itself; what is absent stays."""

    name: Name | UnsetType = UNSET
    company: Company | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    retention_days: RetentionDays | UnsetType | None = UNSET


def me_out(account: Account) -> MeOut:
    return MeOut(
        id=account.id,
        email=account.email,
        name=account.name,
        company=account.company,
        plan=account.plan,
        created_at=Instant(account.created_at_us),
        timezone=account.timezone,
        retention_days=account.retention_days,
        rate_limit_per_minute=account.rate_limit_per_minute,
    )
