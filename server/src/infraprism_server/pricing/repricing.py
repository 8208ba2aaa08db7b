"""What a repricing changes: which events, by how much in all, and for whom."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from infraprism_server import ids
from infraprism_server.event_store.contract import CostChange, Event, EventFilter, Position

KIND: Final = "reprice"
MAX_TALLIED_ENTITIES: Final = 5_000
"""Entities beyond these are summed together. Whoever is listed is listed in full."""


class RepricingJob(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for; the account is the job's."""

    dry_run: bool
    only: Literal["unpriced", "all"]
    start_us: int | None = None
    end_us: int | None = None
    provider: str | None = None
    model: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None

    def filter(self, account: int) -> EventFilter:
        return EventFilter(
            account=account,
            start_us=self.start_us,
            end_us=self.end_us,
            provider=self.provider,
            model=self.model,
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            cost_source="unpriced" if self.only == "unpriced" else None,
        )


class EntityTally(msgspec.Struct, array_like=True):
    """The changed events of one entity and what they cost before and after."""

    entity_type: str | None = None
    entity_id: str | None = None
    events: int = 0
    before_pico: int = 0
    after_pico: int = 0

    def add(self, before_pico: int, after_pico: int) -> None:
        self.events += 1
        self.before_pico += before_pico
        self.after_pico += after_pico


class Tally(msgspec.Struct):
    """Sums so far. Exact; only the list of entities is bounded."""

    events: int = 0
    changed: int = 0
    newly_priced: int = 0
    still_unpriced: int = 0
    before_pico: int = 0
    after_pico: int = 0
    entities: list[EntityTally] = []
    others: EntityTally = msgspec.field(default_factory=EntityTally)


class RepricingProgress(msgspec.Struct):
    """How far a repricing is, and where it goes on after a kill.

    `counted` may be one chunk ahead of `applied`: the sums of a chunk are saved before it is
    applied, so that a chunk that is applied again after a kill is not counted again.
    """

    done: int = 0
    total: int | None = None
    applied: Position | None = None
    counted: Position | None = None
    tally: Tally = msgspec.field(default_factory=Tally)


class Counting:
    """Adds events to a tally, finding their entity in constant time."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._places = {(one.entity_type, one.entity_id): one for one in tally.entities}

    def add(self, event: Event, change: CostChange | None, *, still_unpriced: bool) -> None:
        tally = self.tally
        tally.events += 1
        tally.still_unpriced += still_unpriced
        if change is None:
            return
        tally.changed += 1
        tally.newly_priced += event.cost_source == "unpriced"
        tally.before_pico += event.cost_pico
        tally.after_pico += change.cost_pico
        self._entity(event).add(event.cost_pico, change.cost_pico)

    def _entity(self, event: Event) -> EntityTally:
        key = (event.entity_type, event.entity_id)
        found = self._places.get(key)
        if found is None:
            if len(self._places) >= MAX_TALLIED_ENTITIES:
                return self.tally.others
            found = EntityTally(*key)
            self._places[key] = found
            self.tally.entities.append(found)
        return found


def change_of(event: Event, cost_pico: int | None, rate_id: int | None) -> CostChange | None:
    """The change a new price makes to a stored event, or None.

    A reported cost is never touched, and a computed one that has no price any more is kept: the
    rates it was made from are still known.
    """
    if event.cost_source == "reported" or cost_pico is None:
        return None
    if event.cost_source == "computed" and cost_pico == event.cost_pico:
        return None
    return CostChange(event.id, cost_pico, "computed", None, rate_id)


def position_of(event: Event) -> Position:
    """The place right after an event."""
    return Position(event.timestamp_us, ids.event_key(event.id)[0])


def is_counted(event: Event, progress: RepricingProgress) -> bool:
    """Whether an earlier attempt has this event in its sums already."""
    counted = progress.counted
    if counted is None:
        return False
    return (event.timestamp_us, ids.event_key(event.id)[0]) <= (counted.timestamp_us, counted.key)
