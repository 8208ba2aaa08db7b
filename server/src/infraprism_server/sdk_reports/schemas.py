"""The SDK's reports as they go over the wire. No field can hold content: names are slugs."""

from __future__ import annotations

from typing import Annotated

import msgspec

from infraprism_server.http.fields import printable
from infraprism_server.http.wire import Instant, instant
from infraprism_server.sdk_reports.health import DEFAULT_DAYS, MAX_DAYS, Health, Totals

MAX_NAMES = 32
MAX_COUNT = 1_000_000_000
"""Of one report: a process that drops more in the minutes between two reports counts wrongly."""

_Name = Annotated[
    str,
    msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A reason or a field's name."),
]
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
_Counts = Annotated[dict[_Name, _Count], msgspec.Meta(max_length=MAX_NAMES)]
_Version = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$",
        description="The SDK's version.",
        examples=["0.1.0"],
    ),
]
_Runtime = Annotated[str, printable(64, "What the SDK runs on, such as `python 3.12.4`.")]


class SdkReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of events since the process's report before: numbers to add, not totals."""

    version: _Version
    runtime: _Runtime
    queued: _Count = 0
    sent: _Count = 0
    dropped: _Counts = {}
    """Events that are lost, by reason: queue_full, at_exit, too_large, refused, …"""
    fields_dropped: _Counts = {}
    """Fields of events that were sent without them, by name."""


class SdkReportOut(msgspec.Struct, frozen=True):
    """The report is counted."""

    id: str
    received_at: Instant


class SdkHealthQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far back to sum."""

    days: Annotated[
        int,
        msgspec.Meta(ge=1, le=MAX_DAYS, description="Days of UTC, today included."),
    ] = DEFAULT_DAYS


class SdkVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of one version and runtime reported."""

    version: str
    runtime: str
    reports: int
    queued: int
    sent: int
    dropped_events: int
    dropped: dict[str, int]
    fields_dropped: dict[str, int]
    last_report_at: Instant


class SdkDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of UTC."""

    date: str
    reports: int
    queued: int
    sent: int
    dropped_events: int


class SdkHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all reports of the account, by version and by day."""

    since: Instant
    """Where the first of the days begins."""
    reports: int
    queued: int
    sent: int
    dropped_events: int
    """The sum of `dropped`."""
    dropped: dict[str, int]
    fields_dropped: dict[str, int]
    last_report_at: Instant | None
    versions: list[SdkVersion]
    """Who reported last comes first; what is beyond 100 is summed as `other`."""
    by_day: list[SdkDay]
    """Days with reports, oldest first."""


def health_out(health: Health) -> SdkHealth:
    """What is known, in the form of the wire."""
    total = health.total
    return SdkHealth(
        since=Instant(health.since_us),
        reports=total.reports,
        queued=total.queued,
        sent=total.sent,
        dropped_events=total.dropped_events,
        dropped=total.dropped,
        fields_dropped=total.fields_dropped,
        last_report_at=instant(total.last_report_us),
        versions=[_version(*each) for each in health.versions],
        by_day=[
            SdkDay(
                date=date,
                reports=day.reports,
                queued=day.queued,
                sent=day.sent,
                dropped_events=day.dropped_events,
            )
            for date, day in health.by_day
        ],
    )


def _version(version: str, runtime: str, totals: Totals) -> SdkVersion:
    return SdkVersion(
        version=version,
        runtime=runtime,
        reports=totals.reports,
        queued=totals.queued,
        sent=totals.sent,
        dropped_events=totals.dropped_events,
        dropped=totals.dropped,
        fields_dropped=totals.fields_dropped,
        last_report_at=Instant(totals.last_report_us or 0),
    )
