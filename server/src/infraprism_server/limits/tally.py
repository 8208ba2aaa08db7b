"""What entities spent in the periods that matter now: sums, kept right by adding what is new.

A book holds the periods of one kind and time zone: from the one of 48 hours ago, in which a late
event may still ring, to the one of a day ahead, the latest timestamp that is accepted. What is
added is summed by quarter hours first: no zone's periods begin in between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from infraprism_server.clock import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE
from infraprism_server.event_store.contract import Event, Outcome
from infraprism_server.event_store.event_columns import values_of
from infraprism_server.limits.limit import EACH, Entity, Spent
from infraprism_server.limits.period import Period, PeriodKind, edges_between

RINGS_FOR_US: Final = 48 * MICROSECONDS_PER_HOUR
"""How long after its end a period can still cause an alert."""
_AHEAD_US: Final = 25 * MICROSECONDS_PER_HOUR
_SLOT_US: Final = 15 * MICROSECONDS_PER_MINUTE
_NOTHING: Final = Spent()
_ADDED: Final = (
    *("entity_type", "entity_id", "timestamp_us"),
    *("cost_pico", "input_tokens", "output_tokens", "cost_source"),
)

Cells: TypeAlias = dict[tuple[str, str, int], Spent]
"""Sums by entity type, entity id and quarter hour."""


class BookKey(NamedTuple):
    """Which periods a book holds."""

    kind: PeriodKind
    timezone: str


class Row(NamedTuple):
    """One sum as the event store has it."""

    period_start_us: int
    entity: Entity
    spent: Spent


Rooms: TypeAlias = dict[tuple[str, str], list[int]]
"""By entity how much cost, tokens and requests may still come before a limit must be looked at."""


def add_up(
    cells: Cells,
    rooms: Rooms,
    events: Sequence[Event],
    outcomes: Sequence[Outcome],
    followed: Callable[[str, str], bool],
) -> list[tuple[str, str]]:
    """Add accepted events to the cells of the entities that are followed; who has no room left.

    Once per event of every commit of an account with limits: about a microsecond each.
    """
    cramped: list[tuple[str, str]] = []
    accepted = Outcome.ACCEPTED
    columns = values_of(events, *_ADDED)
    for kind, name, moment_us, cost, tokens_in, tokens_out, source, outcome in zip(
        *columns, outcomes, strict=True
    ):
        if kind is None or name is None or outcome is not accepted:
            continue
        key = (kind, name, moment_us // _SLOT_US)
        spent = cells.get(key)
        if spent is None:
            if not followed(kind, name):
                continue
            spent = cells[key] = Spent()
        tokens = tokens_in + tokens_out
        spent.cost_pico += cost
        spent.tokens += tokens
        spent.requests += 1
        if source == "unpriced":
            spent.unpriced += 1
        room = rooms.get((kind, name))
        if room is None:
            cramped.append((kind, name))
            continue
        room[0] -= cost
        room[1] -= tokens
        room[2] -= 1
        if room[0] <= 0 or room[1] <= 0 or room[2] <= 0:
            cramped.append((kind, name))
    return cramped


class Book:
    """Spending by period and entity, for limits of one kind of period in one time zone."""

    def __init__(self, key: BookKey, now_us: int) -> None:
        self.key = key
        self._zone = ZoneInfo(key.timezone)
        self._followed: Counter[Entity] = Counter()
        self._periods: dict[int, dict[Entity, Spent]] = {}
        self.edges: list[int] = []
        self._current = Period(0, 0)
        self.advance(now_us)
        self.began = False
        """Whether a period began that nobody has looked at yet."""

    def follow(self, entity: Entity) -> None:
        """Keep the sums of an entity, or of each of its type (`*`); they are read next."""
        self._followed[entity] += 1

    def unfollow(self, entity: Entity) -> None:
        """One limit less that needs them."""
        self._followed[entity] -= 1
        if self._followed[entity] > 0:
            return
        del self._followed[entity]
        for sums in self._periods.values():
            named = [entity] if entity.id != EACH else list(sums)
            for each in named:
                if not self.follows(*each):
                    sums.pop(each, None)

    def follows(self, entity_type: str, entity_id: str) -> bool:
        followed = self._followed
        return (entity_type, entity_id) in followed or (entity_type, EACH) in followed

    @property
    def followed(self) -> Sequence[Entity]:
        """Whom the limits name, `*` among the ids."""
        return list(self._followed)

    def advance(self, now_us: int) -> None:
        """Open the periods that come into reach and drop those that are over."""
        if self._current.start_us <= now_us < self._current.end_us and (
            now_us + _AHEAD_US < self.edges[-1]
        ):
            return
        self.edges = edges_between(
            max(0, now_us - RINGS_FOR_US), now_us + _AHEAD_US, self.key.kind, self._zone
        )
        # No event can be stored yet in a period that has only now come into reach.
        self._periods = {start: self._periods.get(start, {}) for start in self.edges[:-1]}
        place = bisect_right(self.edges, now_us)
        self._current = Period(self.edges[place - 1], self.edges[place])
        self.began = True

    def current(self, now_us: int) -> Period:
        """The period it is now."""
        self.advance(now_us)
        return self._current

    def ringing(self, now_us: int) -> list[Period]:
        """The periods that may cause an alert: begun, and not over for 48 hours."""
        self.advance(now_us)
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return [
            Period(start, end)
            for start, end in pairs
            if start <= now_us and end > now_us - RINGS_FOR_US
        ]

    def spent(self, entity: Entity, period_start_us: int) -> Spent:
        """What the entity spent in a period that is held."""
        return self._periods.get(period_start_us, {}).get(entity, _NOTHING)

    def spenders(self, period_start_us: int) -> Mapping[Entity, Spent]:
        """Who spent in a period that is held."""
        return self._periods.get(period_start_us, {})

    def add(self, cells: Cells) -> None:
        """Add what is new. Periods that are not held are passed over."""
        edges = self.edges
        for (entity_type, entity_id, slot), spent in cells.items():
            if not self.follows(entity_type, entity_id):
                continue
            place = bisect_right(edges, slot * _SLOT_US) - 1
            if 0 <= place < len(edges) - 1:
                sums = self._periods[edges[place]]
                entity = Entity(entity_type, entity_id)
                known = sums.get(entity)
                if known is None:
                    known = sums[entity] = Spent()
                known.add(spent)

    def replace(self, edges: Sequence[int], whom: Entity | None, rows: Iterable[Row]) -> None:
        """Put exact sums of the periods between `edges` in the place of what was kept.

        `whom`: only that entity's, or with `*` its whole type's; None: everybody's.
        """
        for start in edges[:-1]:
            sums = self._periods.get(start, {})
            for entity in [each for each in sums if _is_of(each, whom)]:
                del sums[entity]
        for row in rows:
            if row.period_start_us in self._periods and self.follows(*row.entity):
                self._periods[row.period_start_us][row.entity] = row.spent


def _is_of(entity: Entity, whom: Entity | None) -> bool:
    return whom is None or (whom.type == entity.type and whom.id in (EACH, entity.id))


def replaced(cells: Cells, edges: Sequence[int], whom: Entity | None) -> Cells:
    """The cells that belong to what `replace` was asked to replace."""
    first, last = edges[0], edges[-1]
    return {
        key: spent
        for key, spent in cells.items()
        if first <= key[2] * _SLOT_US < last and _is_of(Entity(key[0], key[1]), whom)
    }
