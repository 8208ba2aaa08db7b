"""Anomalies as people see and steer them: lists, marks, settings, plans, and the band's series."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, Engine

from infraprism_server import ids
from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies import band as bands
from infraprism_server.anomalies import store
from infraprism_server.anomalies.answers import (
    anomaly_out,
    default_settings,
    planned_out,
    series_out,
    settings_out,
    tuning_of,
)
from infraprism_server.anomalies.calendar import offset_hours
from infraprism_server.anomalies.picture import BandPoint, draw
from infraprism_server.anomalies.reading import TOTAL, read_one
from infraprism_server.anomalies.schemas import (
    AnomalyOut,
    AnomalySeries,
    CreatePlanned,
    ListAnomaliesQuery,
    PatchSettings,
    PlannedOut,
    SettingsOut,
    Status,
)
from infraprism_server.anomalies.store import AnomalyRow, PlannedRow, Position, Wanted
from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, Clock
from infraprism_server.errors import Conflict, InvalidRequest, NotFound
from infraprism_server.event_store.contract import EventStore
from infraprism_server.http.fields import check_entity_id, check_printable
from infraprism_server.http.idempotency import IdempotentRequest, answer_once
from infraprism_server.http.time_range import parse_range, zone_named
from infraprism_server.http.wire import encode, pico_of
from infraprism_server.money import PICO_PER_DOLLAR

PLANNED: Final = "pln"
BACKFILL_KIND: Final = "anomaly_backfill"
MAX_MINIMUM_PICO: Final = 1_000_000 * PICO_PER_DOLLAR
MAX_PLANNED: Final = 1_000
MAX_PLANNED_DAYS: Final = 366
MAX_SERIES_HOURS: Final = 62 * 24
"""More than the longest episode with the most hours around it that may be asked for."""
HOURS_BEFORE: Final = 72
HOURS_BEFORE_DRIFT: Final = 28 * 24
MAX_BACKFILL_DAYS: Final = 366


class AnomalyPage(msgspec.Struct, frozen=True):
    """A page of anomalies, how many there are, and where the next page starts."""

    data: list[AnomalyOut]
    total: int
    next_position: Position | None


class BackfillJob(msgspec.Struct, frozen=True):
    """From which hour to judge, to which (exclusive)."""

    first_hour: int
    end_hour: int


class BackfillProgress(msgspec.Struct, frozen=True):
    """How many hours are judged, of how many, and what was found."""

    hours_done: int = 0
    hours_total: int = 0
    found: int = 0


class AnomalyService:
    """What can be done with anomalies. Every method says whose they are."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        accounts: AccountService,
        event_store: EventStore | None,
        jobs: JobQueue,
    ) -> None:
        """Without an event store (a command beside the server) there is no series."""
        self._engine = engine
        self._clock = clock
        self._accounts = accounts
        self._event_store = event_store
        self._jobs = jobs

    def page(
        self, account: int, query: ListAnomaliesQuery, after: Position | None = None
    ) -> AnomalyPage:
        """Detected last first. InvalidRequest for unreadable dates."""
        check_entity_id(query.entity_id)
        zone = zone_named(query.timezone or self._accounts.get(account).timezone)
        span = parse_range(query.start_date, query.end_date, zone)
        wanted = Wanted(
            account=account,
            status=query.status,
            entity_type=query.entity_type,
            entity_id=query.entity_id,
            start_us=span.start_us,
            end_us=span.end_us,
        )
        with self._engine.connect() as connection:
            rows = store.select_anomalies(connection, wanted, query.limit + 1, query.offset, after)
            total = store.count_anomalies(connection, wanted)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        position = Position(shown[-1].detected_at_us, shown[-1].id) if more else None
        return AnomalyPage([anomaly_out(row) for row in shown], total, position)

    def get(self, account: int, anomaly_id: str) -> AnomalyOut:
        """The anomaly, or NotFound."""
        with self._engine.connect() as connection:
            return anomaly_out(_existing(connection, account, anomaly_id))

    def mark(self, account: int, anomaly_id: str, status: Status) -> AnomalyOut:
        """Say what an anomaly is. NotFound when the account has none with this id."""
        with self._engine.begin() as connection:
            row = _existing(connection, account, anomaly_id)
            row = msgspec.structs.replace(row, status=status, updated_at_us=self._clock.now_us())
            store.update_anomaly(connection, row)
        return anomaly_out(row)

    def settings(self, account: int) -> SettingsOut:
        """How the account is watched."""
        with self._engine.connect() as connection:
            return settings_out(
                store.find_settings(connection, account) or default_settings(account)
            )

    def change_settings(self, account: int, patch: PatchSettings) -> SettingsOut:
        """Change what is given. InvalidRequest names a bad field."""
        changes: dict[str, str | int | None] = {}
        if patch.sensitivity is not msgspec.UNSET:
            changes["sensitivity"] = patch.sensitivity
        if patch.minimum_impact_usd:
            pico = pico_of(patch.minimum_impact_usd, "minimum_impact_usd", MAX_MINIMUM_PICO)
            changes["minimum_impact_pico"] = str(PICO_PER_DOLLAR if pico is None else pico)
        if patch.watched_types is not msgspec.UNSET:
            types = patch.watched_types
            changes["watched_types"] = (
                None if types is None else msgspec.json.encode(sorted(set(types))).decode()
            )
        if patch.snoozed_until is not msgspec.UNSET:
            changes["snoozed_until_us"] = self._snooze(account, patch.snoozed_until)
        with self._engine.begin() as connection:
            row = store.find_settings(connection, account) or default_settings(account)
            row = msgspec.structs.replace(row, **changes)
            store.save_settings(connection, row)
        return settings_out(row)

    def planned(self, account: int, limit: int, offset: int) -> tuple[list[PlannedOut], int]:
        """A page of planned activities, and how many there are."""
        with self._engine.connect() as connection:
            rows = store.select_planned(connection, account)
        return [planned_out(row) for row in rows[offset : offset + limit]], len(rows)

    def plan(self, account: int, new: CreatePlanned, idempotent: IdempotentRequest | None) -> bytes:
        """Announce activity; the answer's body. InvalidRequest names a bad field."""
        if (new.entity_type is None) != (new.entity_id is None):
            missing = "entity_id" if new.entity_id is None else "entity_type"
            raise InvalidRequest("'entity_type' and 'entity_id' go together", missing)
        check_entity_id(new.entity_id)
        check_printable(new.note, "note")
        zone = zone_named(self._accounts.get(account).timezone)
        span = parse_range(new.start_date, new.end_date, zone)
        assert span.start_us is not None
        assert span.end_us is not None
        if not 0 < span.end_us - span.start_us <= MAX_PLANNED_DAYS * MICROSECONDS_PER_DAY:
            raise InvalidRequest(f"It lasts up to {MAX_PLANNED_DAYS} days", "end_date")
        now_us = self._clock.now_us()
        row = PlannedRow(
            id=ids.new_id(PLANNED),
            account=account,
            entity_type=new.entity_type or "",
            entity_id=new.entity_id or "",
            start_us=span.start_us,
            end_us=span.end_us,
            note=new.note,
            created_at_us=now_us,
        )

        def make(connection: Connection) -> tuple[str, bytes]:
            if len(store.select_planned(connection, account)) >= MAX_PLANNED:
                raise Conflict(f"{MAX_PLANNED} activities are planned; delete some")
            store.insert_planned(connection, row)
            return row.id, encode(planned_out(row))

        return answer_once(self._engine, account, idempotent, now_us, make)

    def delete_planned(self, account: int, planned_id: str) -> None:
        """Forget a plan. NotFound if there is none."""
        with self._engine.begin() as connection:
            if not store.delete_planned(connection, account, planned_id):
                raise NotFound("There is no planned activity with this id")

    def series(
        self,
        account: int,
        entity_type: str | None,
        entity_id: str | None,
        start_us: int,
        end_us: int,
    ) -> list[BandPoint]:
        """Hour by hour: what was spent, and the band of single hours at the account's sensitivity.

        At most 62 days; without an entity, the account's total. Each hour's band is made of the
        hours before it, without episodes and planned activity: it is what the hour was judged by.
        """
        assert self._event_store is not None, "a series needs the event store"
        first, end = start_us // MICROSECONDS_PER_HOUR, -(-end_us // MICROSECONDS_PER_HOUR)
        if not 0 < end - first <= MAX_SERIES_HOURS:
            raise InvalidRequest("A series covers an hour to 62 days", "start_date")
        name = TOTAL if entity_type is None or entity_id is None else (entity_type, entity_id)
        oldest = max(0, first - bands.HISTORY_HOURS)
        oldest_us = oldest * MICROSECONDS_PER_HOUR
        with self._engine.connect() as connection:
            tuning = tuning_of(store.find_settings(connection, account))
            known = store.select_since(connection, account, oldest_us)
            planned = store.select_planned(connection, account, ends_after_us=oldest_us)
        zone = zone_named(self._accounts.get(account).timezone)
        read = read_one(self._event_store, account, name, oldest, end)
        return draw(
            read,
            range(first, end),
            known=[row for row in known if (row.entity_type, row.entity_id) == name],
            planned=planned,
            tuning=tuning,
            offset_of=lambda hour: offset_hours(hour, zone),
        )

    def picture(
        self, account: int, anomaly_id: str, hours_before: int | None, hours_after: int
    ) -> AnomalySeries:
        """The hours around an episode, up to the open one. NotFound when there is no such anomaly.

        Without `hours_before` three days, for a drift the 28 days it is compared with.
        """
        with self._engine.connect() as connection:
            row = _existing(connection, account, anomaly_id)
        out = anomaly_out(row)
        if hours_before is None:
            hours_before = HOURS_BEFORE_DRIFT if row.kind == "drift" else HOURS_BEFORE
        start_us = min(row.start_us, out.window.start.us) - hours_before * MICROSECONDS_PER_HOUR
        end_us = max(row.end_us, out.window.end.us) + hours_after * MICROSECONDS_PER_HOUR
        closes_us = (self._clock.now_us() // MICROSECONDS_PER_HOUR + 1) * MICROSECONDS_PER_HOUR
        points = self.series(
            account,
            out.entity_type,
            out.entity_id,
            max(0, start_us),
            min(max(end_us, start_us + MICROSECONDS_PER_HOUR), closes_us),
        )
        return series_out(out, points)

    def start_backfill(self, account: int, from_us: int) -> Job:
        """Queue the judging of past hours, silently. InvalidRequest for a bad start."""
        now_us = self._clock.now_us()
        if not 0 < now_us - from_us <= MAX_BACKFILL_DAYS * MICROSECONDS_PER_DAY:
            raise InvalidRequest(f"It starts within the last {MAX_BACKFILL_DAYS} days", "from")
        first, end = from_us // MICROSECONDS_PER_HOUR, now_us // MICROSECONDS_PER_HOUR
        return self._jobs.insert(BACKFILL_KIND, account, BackfillJob(first, end))

    def get_backfill(self, account: int, job_id: str) -> tuple[Job, BackfillProgress]:
        """A backfill and how far it is. NotFound when there is none."""
        job = self._jobs.get(account, BACKFILL_KIND, job_id)
        return job, msgspec.json.decode(job.progress, type=BackfillProgress)

    def _snooze(self, account: int, until: str | None) -> int | None:
        if until is None:
            return None
        zone = zone_named(self._accounts.get(account).timezone)
        try:
            return parse_range(None, until, zone).end_us
        except InvalidRequest as error:
            raise InvalidRequest(
                error.message.replace("end_date", "snoozed_until"), "snoozed_until"
            ) from None


def _existing(connection: Connection, account: int, anomaly_id: str) -> AnomalyRow:
    row = store.find_anomaly(connection, account, anomaly_id)
    if row is None:
        raise NotFound("There is no anomaly with this id")
    return row
