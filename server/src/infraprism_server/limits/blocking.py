"""Who is blocked now, and who came and went since a client last asked. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from infraprism_server.limits.limit import Entity, Limit

MAX_CHANGES: Final = 10_000
"""Changes remembered of an account: whoever asks for older ones is told everything anew."""


class Standing(NamedTuple):
    """What one limit says of one entity in the current period. `spent` is in the metric's unit."""

    limit: Limit
    entity: Entity
    spent: int
    unpriced: int
    period_start_us: int
    resets_at_us: int | None

    @property
    def blocks(self) -> bool:
        return self.limit.action == "block" and self.spent >= self.limit.amount

    @property
    def parts_per_million(self) -> int:
        """How much of the amount is spent, rounded down."""
        return self.spent * 1_000_000 // self.limit.amount


class BlockChange(NamedTuple):
    """An entity that began or stopped to be blocked, or is blocked by another limit now."""

    entity: Entity
    changed_at_us: int
    standing: Standing | None
    """The limit that decides; None: nothing blocks it any more."""


class BlockChanges(NamedTuple):
    """What a client has to know to be up to date."""

    changes: list[BlockChange]
    complete: bool
    """Whether this is everybody who is blocked: what the client knew besides is over."""
    as_of_us: int
    """What to ask `since` next time: when the latest change was."""


def deciding(standings: Iterable[Standing]) -> Standing | None:
    """The limit that decides: of those that block the one that lasts longest, else the tightest."""
    found = list(standings)
    blocking = [each for each in found if each.blocks]
    if blocking:
        return max(
            blocking,
            key=lambda each: (
                each.resets_at_us is None,
                each.resets_at_us or 0,
                each.limit.id,
            ),
        )
    return max(
        found,
        # Exact: a fraction of two integers, compared without a float.
        key=lambda each: (each.spent * 10**18 // each.limit.amount, each.limit.id),
        default=None,
    )


class BlockList:
    """The blocked entities of one account, and the latest changes."""

    def __init__(self, now_us: int) -> None:
        self._blocked: dict[Entity, BlockChange] = {}
        self._changes: deque[BlockChange] = deque()
        self._known_since_us = now_us
        self._latest_us = now_us

    def __len__(self) -> int:
        return len(self._blocked)

    @property
    def entities(self) -> list[Entity]:
        return list(self._blocked)

    def has(self, entity: tuple[str, str]) -> bool:
        return entity in self._blocked

    def update(self, entity: Entity, decides: Standing | None, now_us: int) -> None:
        """Note what decides for an entity now."""
        standing = decides if decides is not None and decides.blocks else None
        before = self._blocked.get(entity)
        if standing is None:
            if before is None:
                return
            del self._blocked[entity]
        elif before is not None and before.standing is not None:
            same = (before.standing.limit, before.standing.resets_at_us) == (
                standing.limit,
                standing.resets_at_us,
            )
            if same:
                self._blocked[entity] = before._replace(standing=standing)
                return
        # Each change has an instant of its own: who saw one has seen all before it.
        self._latest_us = max(now_us, self._latest_us + 1)
        change = BlockChange(entity, self._latest_us, standing)
        if standing is not None:
            self._blocked[entity] = change
        self._changes.append(change)
        if len(self._changes) > MAX_CHANGES:
            self._known_since_us = self._changes.popleft().changed_at_us

    def since(self, since_us: int | None) -> BlockChanges:
        """Everybody who is blocked, or what changed after that instant."""
        known = since_us is not None and self._known_since_us <= since_us <= self._latest_us
        if since_us is None or not known:
            return BlockChanges(list(self._blocked.values()), True, self._latest_us)
        latest: dict[Entity, BlockChange] = {}
        for change in reversed(self._changes):
            if change.changed_at_us <= since_us:
                break
            latest.setdefault(change.entity, self._blocked.get(change.entity, change))
        return BlockChanges(list(latest.values()), False, self._latest_us)
