"""Sums of the SDK's counts, over all of them, by version and by day. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from infraprism_server.clock import MICROSECONDS_PER_DAY, iso_utc

Kind = Literal["reports", "queued", "sent", "dropped", "field"]

DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 400
"""As long as counts are kept: a year, and the same month of the year before."""
MAX_VERSIONS: Final = 100
OTHER: Final = "other"
"""The name of everything beyond a bound: it is summed, and so never lost."""


class Count(NamedTuple):
    """One number of one day. `name` is a reason or a field; empty for the other kinds."""

    day: int
    version: str
    runtime: str
    kind: str
    name: str
    amount: int
    updated_at_us: int


@dataclass(slots=True)
class Totals:
    """What became of events."""

    reports: int = 0
    queued: int = 0
    sent: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    fields_dropped: dict[str, int] = field(default_factory=dict)
    last_report_us: int | None = None

    @property
    def dropped_events(self) -> int:
        return sum(self.dropped.values())

    def add(self, one: Count) -> None:
        match one.kind:
            case "reports":
                self.reports += one.amount
                self.last_report_us = max(self.last_report_us or 0, one.updated_at_us)
            case "queued":
                self.queued += one.amount
            case "sent":
                self.sent += one.amount
            case "dropped":
                self.dropped[one.name] = self.dropped.get(one.name, 0) + one.amount
            case "field":
                self.fields_dropped[one.name] = self.fields_dropped.get(one.name, 0) + one.amount


@dataclass(slots=True)
class Health:
    """All sums since an instant."""

    since_us: int
    total: Totals
    versions: list[tuple[str, str, Totals]]
    """Version, runtime and their sums; who reported last comes first."""
    by_day: list[tuple[str, Totals]]
    """ISO dates with reports, oldest first."""


def first_day(now_us: int, days: int) -> int:
    """The first of so many days of UTC that end with today, counted from 1970."""
    return now_us // MICROSECONDS_PER_DAY - days + 1


def summed(counts: Iterable[Count], since_day: int) -> Health:
    """The sums over those counts; versions beyond MAX_VERSIONS are one, named `other`."""
    found = list(counts)
    latest: dict[tuple[str, str], int] = {}
    for one in found:
        pair = (one.version, one.runtime)
        latest[pair] = max(latest.get(pair, 0), one.updated_at_us)
    shown = set(sorted(latest, key=lambda pair: (-latest[pair], pair))[:MAX_VERSIONS])
    total = Totals()
    versions: dict[tuple[str, str], Totals] = {}
    days: dict[int, Totals] = {}
    for one in found:
        pair = (one.version, one.runtime)
        pair = pair if pair in shown else (OTHER, OTHER)
        for totals in (
            total,
            versions.setdefault(pair, Totals()),
            days.setdefault(one.day, Totals()),
        ):
            totals.add(one)
    newest_first = sorted(
        versions.items(), key=lambda item: (-(item[1].last_report_us or 0), item[0])
    )
    return Health(
        since_us=since_day * MICROSECONDS_PER_DAY,
        total=total,
        versions=[(version, runtime, totals) for (version, runtime), totals in newest_first],
        by_day=[(_date(day), days[day]) for day in sorted(days)],
    )


def _date(day: int) -> str:
    return iso_utc(day * MICROSECONDS_PER_DAY)[:10]
