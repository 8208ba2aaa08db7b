"""Who is blocked, as far as this process knows. Asks nobody.

Two sources: the server's list, which is complete up to an instant, and the answers to uploads,
which come earlier but one by one. What an upload told holds until a list that was asked for after
it confirms it or does not: so a late answer can not block anybody for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from infraprism.limit_errors import LimitReachedError

Entity = tuple[str, str]

MAX_TOLD: Final = 10_000
"""Entities from uploads' answers between two lists; beyond that the next list has them."""
_MAX_SKEW_SECONDS: Final = 2.0
"""The server's clock is read from a header of whole seconds: less than this is no difference."""


class Blocked:
    """One entity and the limit that blocks it."""

    __slots__ = ("_fields", "resets_at")

    def __init__(self, fields: dict[str, Any]) -> None:
        given = fields.get("resets_at")
        self.resets_at = None if given is None else datetime.fromisoformat(given)
        self._fields = fields

    def over(self, now: float) -> bool:
        """Whether its period has ended by then, in seconds since 1970."""
        return self.resets_at is not None and now >= self.resets_at.timestamp()

    def error(self) -> LimitReachedError:
        fields = self._fields
        return LimitReachedError(
            entity_type=fields["entity_type"],
            entity_id=fields["entity_id"],
            limit_id=fields["limit_id"],
            metric=fields["metric"],
            limit=Decimal(fields["amount"]),
            spent=Decimal(fields["spent"]),
            resets_at=self.resets_at,
        )


class BlockList:
    """Reading takes no lock: `find` is in the way of every call."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._listed: dict[Entity, Blocked] = {}
        self._told: dict[Entity, tuple[Blocked, int]] = {}
        self._found: dict[Entity, Blocked] = {}
        self._turn = 0
        self._skew_seconds = 0.0
        self.as_of: str | None = None
        """What to ask `since` next time."""

    def let_go(self) -> None:
        """In a forked child: another thread may have been in here."""
        self._lock = threading.Lock()

    def find(self, entity: Entity) -> Blocked | None:
        """Who blocks an entity now; None when nobody is known to, or its period has ended."""
        blocked = self._found.get(entity)
        if blocked is None or blocked.over(self.clock() + self._skew_seconds):
            return None
        return blocked

    def tell(self, blocked: list[dict[str, Any]]) -> None:
        """Take over the `blocked` of an upload's answer."""
        with self._lock:
            for fields in blocked:
                if len(self._told) < MAX_TOLD:
                    self._told[_entity(fields)] = (Blocked(fields), self._turn)
            self._publish()

    def ask(self) -> int:
        """A list is about to be asked for; what to give to `learn` with the answer."""
        with self._lock:
            self._turn += 1
            return self._turn

    def learn(self, turn: int, answer: dict[str, Any]) -> None:
        """Take over the answer of `GET /v1/limits/blocked`: everybody, or what changed."""
        with self._lock:
            listed = {} if answer["complete"] else dict(self._listed)
            for change in answer["data"]:
                if change["blocked"]:
                    listed[_entity(change)] = Blocked(change)
                else:
                    listed.pop(_entity(change), None)
            self._listed = listed
            self._told = {
                entity: (blocked, told_in)
                for entity, (blocked, told_in) in self._told.items()
                if told_in >= turn
            }
            self.as_of = str(answer["as_of"])
            self._publish()

    def learn_clock(self, server_now: float) -> None:
        """The server's clock says when a period ends, whatever this machine's says."""
        skew = server_now - self.clock()
        self._skew_seconds = skew if abs(skew) > _MAX_SKEW_SECONDS else 0.0

    def _publish(self) -> None:
        told = {entity: blocked for entity, (blocked, _) in self._told.items()}
        self._found = {**self._listed, **told}


def _entity(fields: dict[str, Any]) -> Entity:
    return str(fields["entity_type"]), str(fields["entity_id"])
