"""The watch: judges every account's hours as they close, and tells what is odd, once."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from infraprism_server import ids
from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies import detection, store
from infraprism_server.anomalies.answers import anomaly_out, impact_pico, tuning_of
from infraprism_server.anomalies.band import HISTORY_HOURS
from infraprism_server.anomalies.calendar import earlier_month_start, offset_hours
from infraprism_server.anomalies.drift import LOOK_EVERY_HOURS, find_drifts
from infraprism_server.anomalies.episode import Episode, grown, is_by, is_same_story, opened, rested
from infraprism_server.anomalies.finding import Finding, Tuning
from infraprism_server.anomalies.newcomers import find_newcomers
from infraprism_server.anomalies.reading import (
    TOTAL,
    Name,
    Series,
    covers,
    forget,
    forget_planned,
    read_all,
)
from infraprism_server.anomalies.reasons import detail_of
from infraprism_server.anomalies.store import AnomalyRow, Detail, PlannedRow
from infraprism_server.background.outbox import publish
from infraprism_server.clock import MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND, Clock
from infraprism_server.event_store.contract import EventStore
from infraprism_server.http.time_range import zone_named

ANOMALY: Final = "ano"
DETECTED: Final = "anomaly.detected"
LATE_HOURS: Final = 6
"""Closed hours that are judged again at every run, for what arrived late."""
CATCH_UP_HOURS: Final = 48
"""How far back a server that was away judges, and how old a finding may be to be told."""
EXPLAINED: Final = 0.2
"""The account's total is told of only when its entities' own anomalies explain less than this."""
_ACCOUNTS: Final = 100

log = structlog.get_logger(__name__)


class Watch:
    """Judges accounts. One thread at a time works on an account."""

    def __init__(
        self,
        engine: Engine,
        events: EventStore,
        accounts: AccountService,
        clock: Clock,
        *,
        open_hour_seconds: float = 900.0,
    ) -> None:
        """`open_hour_seconds`: how long an open hour is left alone after it was judged."""
        self._told: set[int] = set()
        self._looked_us: dict[int, int] = {}
        self._judged_us: dict[int, int] = {}
        self._open_hour_us = round(open_hour_seconds * MICROSECONDS_PER_SECOND)
        self._engine = engine
        self._events = events
        self._accounts = accounts
        self._clock = clock
        events.listen(self._committed)

    def _committed(self, account: int, *_: object) -> None:
        """Remember whose open hour may have changed; called on the thread that writes."""
        self._told.add(account)

    def run_due(self) -> None:
        """Judge every account that has a newly closed hour, or an open one not looked at lately."""
        offset = 0
        while True:
            accounts, total = self._accounts.page(_ACCOUNTS, offset)
            for account in accounts:
                try:
                    self.run(account.number)
                except Exception:  # one account's trouble must not blind the others
                    self._looked_us.pop(account.number, None)
                    log.exception("anomalies_not_judged", account=account.id)
            offset += len(accounts)
            if offset >= total or not accounts:
                return

    def run(self, account: int) -> None:
        """Judge the hours that closed since the last run, late ones again, and the open one."""
        now_us = self._clock.now_us()
        open_hour = now_us // MICROSECONDS_PER_HOUR
        looked_us = self._looked_us.get(account, 0)
        same_hour = looked_us // MICROSECONDS_PER_HOUR == open_hour
        judged_us = self._judged_us.get(account, 0)
        is_fresh = account not in self._told or now_us - judged_us < self._open_hour_us
        if same_hour and is_fresh:
            return
        with self._engine.connect() as connection:
            found = store.find_run(connection, account)
        judged_to, ran_at_us = found or (open_hour - 1, 0)
        hours = [open_hour]
        if judged_to < open_hour:
            first = max(judged_to - LATE_HOURS, open_hour - CATCH_UP_HOURS)
            hours = list(range(first, open_hour + 1))
        elif now_us - ran_at_us < self._open_hour_us:
            return
        self._looked_us[account] = now_us
        self._told.discard(account)  # before it is read: what comes meanwhile is told again
        if self._events.find_extent(account) is None:
            return
        self._judged_us[account] = now_us
        self.judge(account, hours)
        with self._engine.begin() as connection:
            store.save_run(connection, account, open_hour, now_us)

    def judge(self, account: int, hours: Sequence[int], *, tell: bool = True) -> int:
        """Judge hours, ascending; how many anomalies were new. Repeating it changes nothing."""
        with self._engine.connect() as connection:
            settings = store.find_settings(connection, account)
            since_us = (hours[0] - HISTORY_HOURS) * MICROSECONDS_PER_HOUR
            known = store.select_since(connection, account, since_us)
            planned = store.select_planned(connection, account, ends_after_us=since_us)
        tuning = tuning_of(settings)
        watched = settings.watched_types if settings else None
        types = None if watched is None else set(msgspec.json.decode(watched, type=list[str]))
        silenced = settings is not None and (settings.snoozed_until_us or 0) > self._clock.now_us()
        first_hour = max(0, hours[0] - HISTORY_HOURS)
        new = 0
        everyone = {row.id: row for row in known}
        for series in read_all(
            self._events, account, first_hour, hours[-1] + 1, tuning.minimum_impact_pico
        ):
            page = _Page(
                self,
                account,
                series,
                everyone=everyone,
                planned=planned,
                tell=tell and not silenced,
            )
            new += page.judge(hours, tuning, zone_of(self._accounts, account), types)
        return new

    def save(self, row: AnomalyRow, *, is_new: bool, tell: bool) -> bool:
        """Write a row, and tell of a new one in the same transaction. False: it was there."""
        try:
            with self._engine.begin() as connection:
                if not is_new:
                    store.update_anomaly(connection, row)
                    return True
                store.insert_anomaly(connection, row)
                if tell:
                    publish(connection, row.account, DETECTED, anomaly_out(row), row.detected_at_us)
        except IntegrityError:  # another process judged the same hour
            return False
        return True

    def detail(
        self, account: int, name: Name, series: Series, finding: Finding, offset: int
    ) -> Detail:
        """The finding's amounts and reasons as they are stored."""
        return detail_of(self._events, account, name, series.history, finding, offset=offset)

    def now_us(self) -> int:
        return self._clock.now_us()


def zone_of(accounts: AccountService, account: int) -> Callable[[int], tuple[int, int | None]]:
    """For an hour: the account's distance from UTC, and the month start it is compared with."""
    zone = zone_named(accounts.get(account).timezone)
    return lambda hour: (offset_hours(hour, zone), earlier_month_start(hour, zone))


class _Page:
    """Some thousand entities of an account, judged hour by hour."""

    def __init__(
        self,
        watch: Watch,
        account: int,
        series: Series,
        *,
        everyone: dict[str, AnomalyRow],
        planned: Iterable[PlannedRow],
        tell: bool,
    ) -> None:
        self._watch = watch
        self._account = account
        self._series = series
        self._tell = tell
        self._planned = list(planned)
        self._everyone = everyone
        columns = {name: column for column, name in enumerate(series.names)}
        self._rows: dict[int, list[AnomalyRow]] = {}
        for row in everyone.values():
            column = columns.get((row.entity_type, row.entity_id))
            if column is not None:
                self._rows.setdefault(column, []).append(row)
                forget(series.history, column, row)
        for plan in self._planned:
            for name, column in columns.items():
                forget_planned(series.history, column, name, plan)

    def judge(
        self,
        hours: Sequence[int],
        tuning: Tuning,
        calendar: Callable[[int], tuple[int, int | None]],
        types: set[str] | None,
    ) -> int:
        new = 0
        open_hour = self._watch.now_us() // MICROSECONDS_PER_HOUR
        for hour in hours:
            offset, month_before = calendar(hour)
            tuned = _in_zone(tuning, offset)
            findings = self._findings(hour, tuned, month_before, closed=hour < open_hour)
            odd: set[int] = set()
            for finding in findings:
                name = self._series.names[finding.entity]
                if types is not None and name != TOTAL and name[0] not in types:
                    continue
                if any(covers(plan, name) and _overlaps(plan, finding) for plan in self._planned):
                    continue
                if self._is_explained(name, finding):
                    continue
                odd.add(finding.entity)
                new += self._take(finding, tuned)
            if hour < open_hour:
                self._rest(hour, odd)
        return new

    def _is_explained(self, name: Name, finding: Finding) -> bool:
        """Whether a finding on the total says only what anomalies of entities have said."""
        if name != TOTAL:
            return False
        start_us = finding.start_hour * MICROSECONDS_PER_HOUR
        end_us = finding.end_hour * MICROSECONDS_PER_HOUR
        said = sum(
            _said(row, finding)
            for row in self._everyone.values()
            if (row.entity_type, row.entity_id) != TOTAL
            and row.start_us < end_us
            and row.end_us > start_us
        )
        return said >= EXPLAINED * (finding.actual - finding.expected)

    def _findings(
        self, hour: int, tuning: Tuning, month_before: int | None, *, closed: bool
    ) -> list[Finding]:
        history = self._series.history
        found = detection.find_spikes(history, hour, tuning, earlier_month_start=month_before)
        found += find_newcomers(history, hour, tuning)
        if closed and hour % LOOK_EVERY_HOURS == 0:
            found += find_drifts(history, hour, tuning)
        return found

    def _take(self, finding: Finding, tuning: Tuning) -> int:
        """Grow the story a finding belongs to, or begin one. 1 when it is new."""
        rows = self._rows.get(finding.entity, [])
        latest = next((row for row in reversed(rows) if is_by(row.episode, finding)), None)
        before = latest.episode if latest else None
        if latest is None or before is None or not is_same_story(before, finding):
            start = detection.first_odd_hour(self._series.history, finding, tuning)
            return self._begin(finding, opened(finding, start, before), tuning)
        episode = grown(before, finding)
        if episode is not before:
            self._grow(latest, episode, finding, tuning)
        return 0

    def _begin(self, finding: Finding, episode: Episode, tuning: Tuning) -> int:
        name = self._series.names[finding.entity]
        now_us = self._watch.now_us()
        row = AnomalyRow(
            id=ids.new_id(ANOMALY),
            account=self._account,
            entity_type=name[0],
            entity_id=name[1],
            kind=finding.kind,
            status="open",
            start_us=episode.start_hour * MICROSECONDS_PER_HOUR,
            end_us=episode.end_hour * MICROSECONDS_PER_HOUR,
            closed=False,
            new_normal=False,
            severity=f"{finding.severity:.4f}",
            detail=_encoded(self._detail(finding, tuning), episode),
            detected_at_us=now_us,
            updated_at_us=now_us,
        )
        old_us = now_us - CATCH_UP_HOURS * MICROSECONDS_PER_HOUR
        is_told = self._tell and finding.end_hour * MICROSECONDS_PER_HOUR >= old_us
        if not self._watch.save(row, is_new=True, tell=is_told):
            return 0
        self._everyone[row.id] = row
        insort(self._rows.setdefault(finding.entity, []), row, key=lambda each: each.start_us)
        forget(self._series.history, finding.entity, row)
        return 1

    def _grow(self, row: AnomalyRow, episode: Episode, finding: Finding, tuning: Tuning) -> None:
        worse = finding.severity > float(row.severity)
        told = self._detail(finding, tuning) if worse else row.told
        changed = msgspec.structs.replace(
            row,
            end_us=episode.end_hour * MICROSECONDS_PER_HOUR,
            closed=episode.closed,
            new_normal=episode.new_normal,
            severity=f"{episode.severity:.4f}",
            detail=_encoded(told, episode),
            updated_at_us=self._watch.now_us(),
        )
        self._change(finding.entity, row, changed)
        forget(self._series.history, finding.entity, changed)

    def _rest(self, hour: int, odd: set[int]) -> None:
        """Episodes that have been quiet for a day are over, and resolved unless someone judged."""
        for entity, rows in self._rows.items():
            for row in rows:
                if not row.closed and entity not in odd and rested(row.episode, hour).closed:
                    status = "resolved" if row.status == "open" else row.status
                    self._change(
                        entity, row, msgspec.structs.replace(row, closed=True, status=status)
                    )

    def _change(self, entity: int, row: AnomalyRow, changed: AnomalyRow) -> None:
        self._watch.save(changed, is_new=False, tell=False)
        rows = self._rows[entity]
        rows[rows.index(row)] = changed
        self._everyone[row.id] = changed

    def _detail(self, finding: Finding, tuning: Tuning) -> Detail:
        name = self._series.names[finding.entity]
        return self._watch.detail(self._account, name, self._series, finding, tuning.offset_hours)


def _encoded(told: Detail, episode: Episode) -> str:
    # Rounded up, so that the same finding, judged again, is not more than what was stored.
    kept = msgspec.structs.replace(told, most_excess_pico=math.ceil(episode.excess))
    return msgspec.json.encode(kept).decode()


def _in_zone(tuning: Tuning, offset: int) -> Tuning:
    return Tuning(tuning.sensitivity, tuning.minimum_impact_pico, offset)


def _said(row: AnomalyRow, finding: Finding) -> int:
    """What an anomaly of an entity explains of the total's finding, pico-dollars.

    What was marked as expected is told once and may come every day after: of a week's drift it
    explains each day since.
    """
    if finding.kind != "drift" or row.status != "expected":
        return impact_pico(row)
    since_hour = max(row.start_us // MICROSECONDS_PER_HOUR, finding.start_hour)
    return impact_pico(row) * -(-(finding.end_hour - since_hour) // 24)


def _overlaps(plan: PlannedRow, finding: Finding) -> bool:
    return (
        plan.start_us < finding.end_hour * MICROSECONDS_PER_HOUR
        and plan.end_us > finding.start_hour * MICROSECONDS_PER_HOUR
    )
