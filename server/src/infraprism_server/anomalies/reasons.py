"""Why: the exact amounts of a finding's window, and what they came from."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from infraprism_server.anomalies import band as bands
from infraprism_server.anomalies.explanation import dollars, explain
from infraprism_server.anomalies.finding import Finding
from infraprism_server.anomalies.history import History
from infraprism_server.anomalies.reading import TOTAL, Name
from infraprism_server.anomalies.store import Contribution, Detail
from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.event_store.contract import (
    EventFilter,
    EventStore,
    GroupField,
    TagKey,
    UsageQuery,
)
from infraprism_server.event_store.sums import COST

CONTRIBUTORS: Final = 3
_LOOKED_AT: Final = 200
"""Events of the window that are looked at for its tags."""
_TAGS: Final = 4
_GROUPS: Final = 200
_WEEK_US: Final = 168 * MICROSECONDS_PER_HOUR


def detail_of(
    store: EventStore, account: int, name: Name, history: History, finding: Finding, *, offset: int
) -> Detail:
    """The finding as it is kept: what is told as actual is summed exactly, by the store."""
    start_us = finding.start_hour * MICROSECONDS_PER_HOUR
    end_us = finding.end_hour * MICROSECONDS_PER_HOUR
    where = EventFilter(account=account, start_us=start_us, end_us=end_us)
    if name != TOTAL:
        where = msgspec.structs.replace(where, entity_type=name[0], entity_id=name[1])
    asked = UsageQuery(filter=where, bounds_us=(start_us, end_us), only=COST)
    actual = store.usage(asked).totals.cost_pico
    contributors = _contributors(store, where, start_us, end_us)
    amounts = {
        "actual_pico": actual,
        "expected_pico": round(finding.expected),
        "lower_pico": round(finding.lower),
        "upper_pico": round(finding.upper),
    }
    first = contributors[0] if contributors else None
    text = explain(
        kind=finding.kind,
        name="The account as a whole" if name == TOTAL else f"{name[0]} {name[1]}",
        start_us=start_us,
        end_us=end_us,
        **amounts,
        first_contributor=None
        if first is None
        else f"{first.dimension} {first.value} ({dollars(first.cost_pico)}, and"
        f" {dollars(first.week_before_pico)} in the same hours a week before)",
    )
    return Detail(
        start_us=start_us,
        end_us=end_us,
        **amounts,
        comparable_us=_comparable(history, finding, offset),
        contributors=contributors,
        text=text,
    )


def _comparable(history: History, finding: Finding, offset: int) -> list[int]:
    hours = finding.end_hour - finding.start_hour
    if finding.kind == "new_entity":
        return []
    if finding.kind == "drift":
        starts = finding.start_hour - hours * np.arange(1, 5)
    else:
        last = finding.end_hour - 1
        starts = bands.ends_used(history, finding.entity, last, hours, offset) - hours + 1
    return [int(start) * MICROSECONDS_PER_HOUR for start in starts]


def _contributors(
    store: EventStore, where: EventFilter, start_us: int, end_us: int
) -> list[Contribution]:
    """The models and tag values that cost most more than a week before."""
    newest = store.list_events(where, limit=_LOOKED_AT).events
    keys: dict[str, int] = {}
    for event in newest:
        for key in msgspec.json.decode(event.tags, type=dict[str, str]) if event.tags else ():
            keys[key] = keys.get(key, 0) + 1
    often = sorted(keys, key=lambda key: (-keys[key], key))[:_TAGS]
    fields: list[GroupField | TagKey] = ["model", *(TagKey(key) for key in often)]
    week_before = msgspec.structs.replace(
        where, start_us=start_us - _WEEK_US, end_us=start_us - _WEEK_US + (end_us - start_us)
    )
    found: list[Contribution] = []
    for field in fields:
        now = _by(store, where, field)
        before = _by(store, week_before, field)
        dimension = field if isinstance(field, str) else f"tags[{field.key}]"
        found += [
            Contribution(dimension, value, cost, before.get(value, 0))
            for value, cost in now.items()
            if value is not None
        ]
    grown = [one for one in found if one.cost_pico > one.week_before_pico]
    # A model stands before a tag that says the same.
    grown.sort(key=lambda one: one.week_before_pico - one.cost_pico)
    return grown[:CONTRIBUTORS]


def _by(store: EventStore, where: EventFilter, field: GroupField | TagKey) -> dict[str | None, int]:
    assert where.start_us is not None
    assert where.end_us is not None
    query = UsageQuery(
        filter=where,
        bounds_us=(where.start_us, where.end_us),
        group_by=(field,),
        limit=_GROUPS,
        only=COST,
    )
    return {
        row.group[0] if isinstance(row.group[0], str) else None: row.sums.cost_pico
        for row in store.usage(query).rows
        if row.group
    }
