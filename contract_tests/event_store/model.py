"""The contract in plain Python: lists, dicts and exact integers. Slow, short, and the judge."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from infraprism_server.event_store.contract import (
    CONTENT_FIELDS,
    CostChange,
    EntityPage,
    EntityQuery,
    EntityTotals,
    Event,
    EventFilter,
    GroupValue,
    Outcome,
    Position,
    TagKey,
    UnpricedModel,
    UsagePage,
    UsageQuery,
    UsageRow,
)
from infraprism_server.event_store.sums import Sums
from infraprism_server.ids import event_key

_ADDED = (
    "cost_pico",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)


class Model:
    """One account."""

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.remembered: set[tuple[str, str]] = set()
        self.remembered_lately: set[tuple[str, str]] = set()
        """Those somebody spoke of, whether they have events or not."""

    def append(self, events: Sequence[Event]) -> list[Outcome]:
        outcomes = []
        for event in events:
            first = self.events.get(event.id)
            if first is None:
                self.events[event.id] = event
                outcomes.append(Outcome.ACCEPTED)
            else:
                outcomes.append(Outcome.DUPLICATE if same(first, event) else Outcome.CONFLICT)
        return outcomes

    def reprice(self, changes: Sequence[CostChange]) -> int:
        changed = 0
        for change in {change.event_id: change for change in changes}.values():
            event = self.events.get(change.event_id)
            if event is None:
                continue
            new = msgspec.structs.replace(
                event,
                cost_pico=change.cost_pico,
                cost_source=change.cost_source,
                computed_cost_pico=change.computed_cost_pico,
                rate_id=change.rate_id,
            )
            changed += new != event
            self.events[event.id] = new
        return changed

    def delete(self, where: EventFilter) -> int:
        """Entities stay known until they are forgotten."""
        doomed = self.matching(where)
        for event in doomed:
            del self.events[event.id]
            if event.entity_type is not None and event.entity_id is not None:
                self.remembered.add((event.entity_type, event.entity_id))
        return len(doomed)

    def strip(self, where: EventFilter) -> int:
        changed = 0
        for event in self.matching(where):
            bare = msgspec.structs.replace(event, tags=None, session_id=None)
            changed += bare != event
            self.events[event.id] = bare
        return changed

    def forget(self, keep: Iterable[tuple[str, str]]) -> int:
        seen = {(event.entity_type, event.entity_id) for event in self.events.values()}
        forgotten = self.remembered - seen - set(keep)
        self.remembered -= forgotten
        return len(forgotten)

    def rename(self, entity_type: str, entity_id: str, new_id: str) -> bool:
        old = (entity_type, entity_id)
        known = old in self.remembered
        self.remembered -= {old}
        for event in list(self.events.values()):
            if (event.entity_type, event.entity_id) == old:
                known = True
                self.events[event.id] = msgspec.structs.replace(event, entity_id=new_id)
        if known:
            self.remembered.add((entity_type, new_id))
        return known

    def matching(self, where: EventFilter) -> list[Event]:
        """Newest first."""
        found = [event for event in self.events.values() if matches(event, where)]
        return sorted(found, key=position, reverse=True)

    def page(
        self, where: EventFilter, limit: int, offset: int, after: Position | None
    ) -> tuple[list[Event], int]:
        found = self.matching(where)
        rest = found
        if after is not None:
            rest = [e for e in found if position(e) < (after.timestamp_us, after.key)]
        return rest[offset : offset + limit], len(found)

    def entity(self, entity_type: str, entity_id: str, where: EventFilter) -> EntityTotals:
        mine = [
            event
            for event in self.events.values()
            if (event.entity_type, event.entity_id) == (entity_type, entity_id)
        ]
        seen = [event.timestamp_us for event in mine]
        return EntityTotals(
            entity_type=entity_type,
            entity_id=entity_id,
            first_seen_us=min(seen, default=None),
            last_seen_us=max(seen, default=None),
            sums=sums(event for event in mine if matches(event, where)),
        )

    def entities(self, query: EntityQuery) -> EntityPage:
        names = self.remembered | {
            (e.entity_type, e.entity_id)
            for e in self.events.values()
            if e.entity_type is not None and e.entity_id is not None
        }
        where = EventFilter(account=0, start_us=query.start_us, end_us=query.end_us)
        totals = [
            self.entity(entity_type, entity_id, where)
            for entity_type, entity_id in sorted(names)
            if query.entity_type in (None, entity_type)
            and (
                query.id_contains is None
                or query.id_contains.lower() in entity_id.lower()
                or (entity_type, entity_id) in query.named
            )
        ]
        key = {
            "total_cost": lambda e: e.sums.cost_pico,
            "total_events": lambda e: e.sums.events,
            "first_seen": lambda e: e.first_seen_us,
            "last_seen": lambda e: e.last_seen_us,
            "entity_id": lambda e: e.entity_id,
        }[query.sort]
        seen = [e for e in totals if e.first_seen_us is not None]
        # Sorts are stable: ties keep their order by type and id.
        seen.sort(key=key, reverse=query.descending)
        unseen = [e for e in totals if e.first_seen_us is None]
        if query.sort == "entity_id":
            unseen.sort(key=key, reverse=query.descending)
        ordered = seen + unseen
        return EntityPage(
            entities=ordered[query.offset : query.offset + query.limit], total=len(ordered)
        )

    def usage(self, query: UsageQuery) -> UsagePage:
        bounds = query.bounds_us
        cells: dict[tuple[int, tuple[GroupValue, ...]], list[Event]] = defaultdict(list)
        for event in self.matching(query.filter):
            if bounds[0] <= event.timestamp_us < bounds[-1]:
                bucket = bisect_right(bounds, event.timestamp_us) - 1
                cells[bucket, group_of(event, query)].append(event)
        costs: dict[tuple[GroupValue, ...], int] = defaultdict(int)
        for (_, group), events in cells.items():
            costs[group] += sum(event.cost_pico for event in events)
        ranked = sorted(costs, key=lambda group: (-costs[group], nulls_last(group)))
        kept = set(ranked if query.top is None or not query.group_by else ranked[: query.top])
        shown: dict[tuple[int, tuple[GroupValue, ...] | None], list[Event]] = defaultdict(list)
        for (bucket, group), events in cells.items():
            shown[bucket, group if group in kept else None] += events
        rows = [
            UsageRow(bucket=bucket, group=group, sums=sums(events, query.only))
            for (bucket, group), events in shown.items()
        ]
        rows.sort(
            key=lambda row: (
                row.bucket,
                row.group is None,
                -row.sums.cost_pico,
                nulls_last(row.group or ()),
            )
        )
        return UsagePage(
            rows=rows[query.offset : query.offset + query.limit],
            total=len(rows),
            totals=sums((event for events in shown.values() for event in events), query.only),
        )

    def extent(self) -> tuple[int, int] | None:
        """The oldest and the newest timestamp."""
        times = [event.timestamp_us for event in self.events.values()]
        return (min(times), max(times)) if times else None

    def unpriced(self) -> list[UnpricedModel]:
        found: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self.events.values():
            if event.cost_source == "unpriced":
                found[event.provider, event.model].append(event)
        models = [
            UnpricedModel(
                provider=provider,
                model=model,
                events=len(events),
                input_tokens=sum(event.input_tokens for event in events),
                output_tokens=sum(event.output_tokens for event in events),
                first_seen_us=min(event.timestamp_us for event in events),
                last_seen_us=max(event.timestamp_us for event in events),
            )
            for (provider, model), events in found.items()
        ]
        return sorted(models, key=lambda m: (-m.events, m.provider, m.model))


def same(first: Event, second: Event) -> bool:
    if any(getattr(first, field) != getattr(second, field) for field in CONTENT_FIELDS):
        return False
    reported = [event.cost_pico for event in (first, second) if event.cost_source == "reported"]
    return not reported or (len(reported) == 2 and reported[0] == reported[1])


def position(event: Event) -> tuple[int, bytes]:
    return event.timestamp_us, event_key(event.id)[0]


def matches(event: Event, where: EventFilter) -> bool:
    tags = json.loads(event.tags or "{}")
    return (
        (where.start_us is None or where.start_us <= event.timestamp_us)
        and (where.end_us is None or event.timestamp_us < where.end_us)
        and where.entity_type in (None, event.entity_type)
        and where.entity_id in (None, event.entity_id)
        and where.model in (None, event.model)
        and where.provider in (None, event.provider)
        and where.session_id in (None, event.session_id)
        and (where.success is None or where.success == event.success)
        and where.cost_source in (None, event.cost_source)
        and all(tags.get(key) == value for key, value in where.tags)
    )


def group_of(event: Event, query: UsageQuery) -> tuple[GroupValue, ...]:
    tags = json.loads(event.tags or "{}")
    return tuple(
        tags.get(field.key) if isinstance(field, TagKey) else getattr(event, field)
        for field in query.group_by
    )


def nulls_last(group: tuple[GroupValue, ...]) -> tuple[tuple[bool, GroupValue], ...]:
    return tuple((value is None, "" if value is None else value) for value in group)


def sums(events: Iterable[Event], only: frozenset[str] = frozenset()) -> Sums:
    total: dict[str, int] = defaultdict(int)
    for event in events:
        total["events"] += 1
        total["errors"] += not event.success
        total["unpriced_events"] += event.cost_source == "unpriced"
        total["reported_cost_pico"] += event.cost_pico * (event.cost_source == "reported")
        total["latency_ms"] += event.latency_ms or 0
        total["latency_events"] += event.latency_ms is not None
        for field in _ADDED:
            total[field] += getattr(event, field)
    wanted = {*only, "cost_pico"} if only else set(total)
    return Sums(**{name: value for name, value in total.items() if name in wanted})
