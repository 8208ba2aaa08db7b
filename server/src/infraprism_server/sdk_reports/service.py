"""The SDK's reports: taken once each, and what they sum up to. Orders the steps only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock
from infraprism_server.http.fields import check_printable
from infraprism_server.http.idempotency import IdempotentRequest, answer_once
from infraprism_server.http.wire import Instant, encode
from infraprism_server.sdk_reports import store
from infraprism_server.sdk_reports.health import (
    DEFAULT_DAYS,
    MAX_DAYS,
    OTHER,
    Health,
    first_day,
    summed,
)
from infraprism_server.sdk_reports.schemas import SdkReport, SdkReportOut
from infraprism_server.sdk_reports.store import Key

REPORT: Final = "rpt"
MAX_SENDERS: Final = 100
"""Versions with their runtimes of one account on one day; what is beyond is summed as `other`."""
MAX_NAMES: Final = 100
"""Reasons and fields together, likewise."""


class SdkReportService:
    """Counts by account. Thread-safe."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def take(self, account: int, report: SdkReport, idempotent: IdempotentRequest | None) -> bytes:
        """Add a report's numbers; the answer's body, an SdkReportOut.

        With an idempotency key they are added once, however often the report is sent.
        InvalidRequest names a bad field; Conflict: the key was used for another report.
        """
        check_printable(report.runtime, "runtime")
        now_us = self._clock.now_us()

        def add(connection: Connection) -> tuple[str, bytes]:
            self._add(connection, account, report, now_us)
            report_id = ids.new_id(REPORT)
            return report_id, encode(SdkReportOut(report_id, Instant(now_us)))

        return answer_once(self._engine, account, idempotent, now_us, add)

    def health(self, account: int, days: int = DEFAULT_DAYS) -> Health:
        """The account's sums over so many days of UTC, today included."""
        since_day = first_day(self._clock.now_us(), days)
        with self._engine.connect() as connection:
            return summed(store.select_counts(connection, account, since_day), since_day)

    def purge(self) -> None:
        """Forget counts older than MAX_DAYS."""
        with self._engine.begin() as connection:
            store.purge(connection, first_day(self._clock.now_us(), MAX_DAYS))

    def _add(self, connection: Connection, account: int, report: SdkReport, now_us: int) -> None:
        day = now_us // MICROSECONDS_PER_DAY
        senders, names = store.known_on(connection, account, day)
        sender = (report.version, report.runtime)
        if sender not in senders and len(senders) >= MAX_SENDERS:
            sender = (OTHER, OTHER)
        counts = _counts(report, names)
        store.add(connection, account, day, sender=sender, counts=counts, now_us=now_us)


def _counts(report: SdkReport, known: set[Key]) -> Mapping[Key, int]:
    """The report's numbers by kind and name; zeros say nothing and are left out."""
    counts: dict[Key, int] = {("reports", ""): 1}
    names = {key for key in known if key[1]}
    given = [
        (("queued", ""), report.queued),
        (("sent", ""), report.sent),
        *((("dropped", reason), count) for reason, count in report.dropped.items()),
        *((("field", name), count) for name, count in report.fields_dropped.items()),
    ]
    for key, count in given:
        if not count:
            continue
        kept = key
        if key[1] and key not in names:
            if len(names) >= MAX_NAMES:
                kept = (key[0], OTHER)
            names.add(kept)
        counts[kept] = counts.get(kept, 0) + count
    return counts
