"""Usage rows as what charts and sparklines show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from infraprism_server.dashboard.span import bucket_days, bucket_label
from infraprism_server.event_store.contract import GroupValue
from infraprism_server.event_store.sums import Sums
from infraprism_server.usage.schemas import UsageQueryIn
from infraprism_server.usage.service import UsageAnswer, UsageService

Group = tuple[GroupValue, ...]

METRICS = {
    "cost": "Cost",
    "tokens": "Tokens",
    "calls": "Calls",
    "errors": "Errors",
    "latency": "Average latency",
}
UNITS = {"cost": "usd", "latency": "ms"}
SWATCHES = 8
FEW_ROWS = 1_500
MANY_VALUED = frozenset({"entity_id", "session_id"})
SUM_NAMES = Sums.__struct_fields__
SHOWN = frozenset(
    {
        "events",
        "errors",
        "unpriced_events",
        "input_tokens",
        "output_tokens",
        "latency_ms",
        "latency_events",
    }
)
"""The sums that pages show beside the cost: each one more makes a page slower."""


def amount(metric: str, sums: Sums) -> int:
    """The metric of some sums: pico-dollars, tokens, calls, errors or milliseconds."""
    match metric:
        case "tokens":
            return sums.input_tokens + sums.output_tokens
        case "calls":
            return sums.events
        case "errors":
            return sums.errors
        case "latency":
            return average_latency(sums) or 0
    return sums.cost_pico


def average_latency(sums: Sums) -> int | None:
    """Milliseconds; None where no call told."""
    if not sums.latency_events:
        return None
    return (sums.latency_ms + sums.latency_events // 2) // sums.latency_events


def group_name(group: Group | None, names: Mapping[Group, str] | None = None) -> str:
    """A group for people."""
    if group is None:
        return "all others"
    if names and group in names:
        return names[group]
    return " · ".join(value_name(value) for value in group) or "all"


def value_name(value: GroupValue) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return "success" if value else "error"
    return value


class Part(NamedTuple):
    """One group of an answer, over all of its intervals."""

    group: Group | None
    """None: all groups that are not named."""
    name: str
    sums: Sums
    swatch: str
    """The class of its colour in the chart: s1 to s8, or s-other."""
    values: list[int | None]
    """The metric in every interval; None where there were no calls."""


def parts_of(
    answer: UsageAnswer,
    metric: str = "cost",
    names: Mapping[Group, str] | None = None,
    most: int | None = None,
) -> list[Part]:
    """Groups with most of the metric first, all others last.

    With `most`, only so many stay groups, and the rest is added to all others.
    """
    buckets = len(answer.bounds_us) - 1
    cells: dict[Group | None, dict[int, Sums]] = {}
    for row in answer.page.rows:
        cells.setdefault(row.group, {})[row.bucket] = row.sums
    totals = {group: add(found.values()) for group, found in cells.items()}
    ordered = sorted(
        (group for group in cells if group is not None),
        key=lambda group: -amount(metric, totals[group]),
    )
    if most is not None and len(ordered) > most:
        rest = [cells.get(None, {}), *(cells[group] for group in ordered[most:])]
        cells[None] = {
            bucket: add(each[bucket] for each in rest if bucket in each)
            for bucket in {bucket for each in rest for bucket in each}
        }
        totals[None] = add(cells[None].values())
        ordered = ordered[:most]
    last: list[Group | None] = [None] if None in cells else []
    return [
        Part(
            group=group,
            name=group_name(group, names),
            sums=totals[group],
            swatch="s-other" if group is None else f"s{place % SWATCHES + 1}",
            values=[
                amount(metric, found) if (found := cells[group].get(bucket)) else None
                for bucket in range(buckets)
            ],
        )
        for place, group in enumerate([*ordered, *last])
    ]


def chart_of(
    answer: UsageAnswer,
    parts: Sequence[Part],
    metric: str,
    interval: str,
    title: str,
    *,
    series_href: Callable[[Group], str | None] = lambda _: None,
) -> dict[str, Any]:
    """The chart of parts.html; its legend is a table beside it, with the same swatches.

    A bar leads to its group, and to its days: those are added to the address by the browser.
    """
    bounds_us, zone = answer.bounds_us, answer.zone
    scale = 1e12 if metric == "cost" else 1
    return {
        "kind": "line" if metric == "latency" else "stacked",
        "unit": UNITS.get(metric, "count"),
        "summary": f"{title}. The table beside it has the same numbers.",
        "legend": False,
        "x": [
            bucket_label(start_us, interval, zone) | bucket_days(start_us, end_us, interval, zone)
            for start_us, end_us in pairwise(bounds_us)
        ],
        "series": [
            {
                "name": part.name,
                "values": [None if value is None else value / scale for value in part.values],
                "other": part.group is None,
                "href": None if part.group is None else series_href(part.group),
            }
            for part in parts
        ],
    }


class Interval(NamedTuple):
    """All calls of one interval, for a table over time."""

    label: str
    full: str
    days: dict[str, str]
    """`start` and `end` of an address that shows it alone; empty for hours."""
    sums: Sums


def intervals_of(answer: UsageAnswer, interval: str) -> list[Interval]:
    """Sums over all groups, newest first, those without calls included."""
    found: dict[int, list[Sums]] = {}
    for row in answer.page.rows:
        found.setdefault(row.bucket, []).append(row.sums)
    lines = []
    for bucket, (start_us, end_us) in enumerate(pairwise(answer.bounds_us)):
        label = bucket_label(start_us, interval, answer.zone)
        days = bucket_days(start_us, end_us, interval, answer.zone)
        lines.append(Interval(label["label"], label["full"], days, add(found.get(bucket, ()))))
    return lines[::-1]


def add(sums: Iterable[Sums]) -> Sums:
    """All of them together."""
    each = list(sums)
    if len(each) == 1:
        return each[0]
    return Sums(**{name: sum(getattr(one, name) for one in each) for name in SUM_NAMES})


def summed(
    usage: UsageService,
    account: int,
    ask: Callable[..., UsageQueryIn],
    **parts: Any,  # noqa: ANN401 - the query's own fields
) -> UsageAnswer:
    """Sums by group and interval, in one pass over the sums where the groups are few.

    `ask` makes the question, of a span or a view. Where the groups are many the store folds what is
    not among the dearest SWATCHES, which takes a pass more.
    """
    if MANY_VALUED.isdisjoint(parts["group_by"]):
        answer = usage.sum(account, ask(**parts, limit=FEW_ROWS), 0, SHOWN)
        if answer.page.total <= FEW_ROWS:
            return answer
    return usage.sum(account, ask(**parts, top=SWATCHES), 0, SHOWN)
