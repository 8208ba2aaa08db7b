"""Usage rows as what charts and sparklines show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from infraprism_server.dashboard.span import bucket_label
from infraprism_server.event_store.contract import GroupValue, Sums
from infraprism_server.usage.service import UsageAnswer

Group = tuple[GroupValue, ...]

METRICS = {
    "cost": "Cost",
    "tokens": "Tokens",
    "calls": "Calls",
    "errors": "Errors",
    "latency": "Average latency",
}
UNITS = {"cost": "usd", "latency": "ms"}


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


def chart_of(
    answer: UsageAnswer,
    metric: str,
    interval: str,
    zone: ZoneInfo,
    title: str,
    *,
    series_href: Callable[[Group], str | None] = lambda _: None,
    bucket_href: Callable[[int, int], str | None] = lambda _start, _end: None,
    names: Mapping[Group, str] | None = None,
) -> dict[str, Any]:
    """The chart of parts.html: dearest group first, `other` last, every interval present."""
    buckets = len(answer.bounds_us) - 1
    by_group: dict[Group | None, list[int | None]] = {}
    for row in answer.page.rows:
        values = by_group.setdefault(row.group, [None] * buckets)
        values[row.bucket] = amount(metric, row.sums)
    ordered = sorted(
        by_group.items(),
        key=lambda each: (each[0] is None, -sum(each[1][i] or 0 for i in range(buckets))),
    )
    scale = 1e12 if metric == "cost" else 1
    shown = [
        {
            "name": group_name(group, names),
            "values": [None if value is None else value / scale for value in values],
            "other": group is None,
            "href": None if group is None else series_href(group),
        }
        for group, values in ordered
    ]
    return {
        "kind": "line" if metric == "latency" else "stacked",
        "unit": UNITS.get(metric, "count"),
        "summary": f"{title}. The table on this page has the same numbers.",
        "x": [
            {
                "label": label,
                "full": full,
                "href": bucket_href(answer.bounds_us[place], answer.bounds_us[place + 1]),
            }
            for place in range(buckets)
            for label, full in [bucket_label(answer.bounds_us[place], interval, zone)]
        ],
        "series": shown,
    }


def totals_by_group(answer: UsageAnswer, metric: str = "cost") -> dict[Group, list[int]]:
    """For each group its value in every bucket, zeros included; `other` left out."""
    buckets = len(answer.bounds_us) - 1
    found: dict[Group, list[int]] = {}
    for row in answer.page.rows:
        if row.group is not None:
            values = found.setdefault(row.group, [0] * buckets)
            values[row.bucket] += amount(metric, row.sums)
    return found


def legend_of(
    answer: UsageAnswer, href: Callable[[Group], str | None]
) -> list[tuple[str, int, str | None]]:
    """The chart as a table: each group's name, pico-dollars and address, dearest first."""
    sums: dict[Group | None, int] = {}
    for row in answer.page.rows:
        sums[row.group] = sums.get(row.group, 0) + row.sums.cost_pico
    ordered = sorted(sums.items(), key=lambda each: (each[0] is None, -each[1]))
    return [
        (group_name(group), pico, None if group is None else href(group)) for group, pico in ordered
    ]
