"""What can be asked for, how far it is, and what came of it: the jobs of upkeep as values."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

ERASE: Final = "erase"
EXPIRE: Final = "expire"
COMPACT: Final = "compact"
BACK_UP: Final = "backup"
KINDS: Final = (ERASE, EXPIRE, COMPACT, BACK_UP)

Mode = Literal["delete", "pseudonymise"]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """An entity of an account, or the account whole. Without an account: it was done, and is
    not written down any more."""

    account: int | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    mode: Mode = "delete"
    keep_tags: bool = False
    """Of events that are kept under a pseudonym: tags and session ids stay too."""
    dry_run: bool = False


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did, or would do."""

    events: int = 0
    """Deleted, or kept under a pseudonym."""
    cost_pico: int = 0
    entities: int = 0
    """Names that are gone."""
    rows: int = 0
    """Of the control store."""
    exports: int = 0
    """Export files that were removed: they may hold it."""
    pseudonym: str | None = None


class Expiry(msgspec.Struct, frozen=True):
    """Delete an account's events before an instant."""

    before_us: int


class Expired(msgspec.Struct, frozen=True):
    """What retention let go of."""

    events: int
    entities: int


class Compaction(msgspec.Struct, frozen=True):
    """Nothing to ask for: it is everything."""


class Backup(msgspec.Struct, frozen=True):
    """A folder of the machine of the server, absolute."""

    folder: str
    secret_key: bool = True


class Done(msgspec.Struct, frozen=True):
    """How far a job is, 0 to 1, and what it is at."""

    part: float = 0.0
    step: str = "waiting"
    erased: Erased | None = None
    """What an erasure found when it began: an attempt after a kill finds less."""


def pseudonym_of(job_id: str) -> str:
    """A name that says nothing, always the same for one job: an attempt after a kill goes on."""
    return "erased-" + job_id.rpartition("_")[2]
