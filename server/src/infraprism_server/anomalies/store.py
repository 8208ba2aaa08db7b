"""Queries over anomalies, their settings and planned activity; the caller owns the transaction."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, select, tuple_

from infraprism_server.anomalies.episode import Episode
from infraprism_server.anomalies.finding import excess_of_a_day
from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.control_store.tables import (
    anomalies,
    anomaly_runs,
    anomaly_settings,
    planned_activities,
)


class Contribution(msgspec.Struct, frozen=True):
    """What one model, or one value of a tag, cost in the window, and a week before it."""

    dimension: str
    value: str | None
    cost_pico: int
    week_before_pico: int


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """The window that was furthest outside of its band. Pico-dollars."""

    start_us: int
    end_us: int
    actual_pico: int
    expected_pico: int
    lower_pico: int
    upper_pico: int
    comparable_us: list[int]
    """Starts of the windows it was compared with."""
    contributors: list[Contribution]
    text: str
    most_excess_pico: int | None = None
    """Of all the episode's windows (see Episode.excess), upwards. None: this one alone is known."""

    @property
    def excess_pico(self) -> float:
        """The most that is known of, above the expected, in a day or less."""
        if self.most_excess_pico is not None:
            return float(self.most_excess_pico)
        hours = (self.end_us - self.start_us) // MICROSECONDS_PER_HOUR
        return excess_of_a_day(self.actual_pico - self.expected_pico, hours)


class AnomalyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one entity; type and id are empty for the account's total."""

    id: str
    account: int
    entity_type: str
    entity_id: str
    kind: str
    status: str
    start_us: int
    end_us: int
    closed: bool
    new_normal: bool
    severity: str
    detail: str
    detected_at_us: int
    updated_at_us: int

    @property
    def told(self) -> Detail:
        """`detail`, which is its JSON."""
        return msgspec.json.decode(self.detail, type=Detail)

    @property
    def episode(self) -> Episode:
        return Episode(
            start_hour=self.start_us // MICROSECONDS_PER_HOUR,
            end_hour=self.end_us // MICROSECONDS_PER_HOUR,
            severity=float(self.severity),
            excess=self.told.excess_pico,
            closed=self.closed,
            new_normal=self.new_normal,
        )


class SettingsRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has set."""

    account: int
    sensitivity: str
    minimum_impact_pico: str
    watched_types: str | None
    snoozed_until_us: int | None


class PlannedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which more is spent on purpose, by one entity or (empty) by anyone."""

    id: str
    account: int
    entity_type: str
    entity_id: str
    start_us: int
    end_us: int
    note: str
    created_at_us: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which anomalies of an account. None does not filter."""

    account: int
    status: str | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    start_us: int | None = None
    end_us: int | None = None


class Position(NamedTuple):
    """Where a page ends: what comes after it is older, or as old with a lower id."""

    detected_at_us: int
    id: str


def insert_anomaly(connection: Connection, row: AnomalyRow) -> None:
    connection.execute(insert(anomalies).values(msgspec.structs.asdict(row)))


def update_anomaly(connection: Connection, row: AnomalyRow) -> None:
    mine = and_(anomalies.c.account == row.account, anomalies.c.id == row.id)
    connection.execute(anomalies.update().where(mine).values(msgspec.structs.asdict(row)))


def find_anomaly(connection: Connection, account: int, anomaly_id: str) -> AnomalyRow | None:
    mine = and_(anomalies.c.account == account, anomalies.c.id == anomaly_id)
    row = connection.execute(select(anomalies).where(mine)).mappings().first()
    return None if row is None else _anomaly(row)


def select_since(connection: Connection, account: int, end_us: int) -> list[AnomalyRow]:
    """The account's anomalies that lasted until then or longer, oldest first."""
    found = (
        select(anomalies)
        .where(anomalies.c.account == account, anomalies.c.end_us >= end_us)
        .order_by(anomalies.c.start_us, anomalies.c.id)
    )
    return [_anomaly(row) for row in connection.execute(found).mappings()]


def select_anomalies(
    connection: Connection, wanted: Wanted, limit: int, offset: int, after: Position | None
) -> list[AnomalyRow]:
    """A page, what was detected last first."""
    page = (
        select(anomalies)
        .where(*_conditions(wanted))
        .order_by(anomalies.c.detected_at_us.desc(), anomalies.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    if after is not None:
        page = page.where(tuple_(anomalies.c.detected_at_us, anomalies.c.id) < tuple_(*after))
    return [_anomaly(row) for row in connection.execute(page).mappings()]


def count_anomalies(connection: Connection, wanted: Wanted) -> int:
    counted = select(func.count()).select_from(anomalies).where(*_conditions(wanted))
    return int(connection.execute(counted).scalar_one())


def count_by_status(connection: Connection) -> list[tuple[str, int]]:
    """Of all accounts, for /metrics."""
    counted = select(anomalies.c.status, func.count()).group_by(anomalies.c.status)
    return [(str(status), int(count)) for status, count in connection.execute(counted)]


def find_settings(connection: Connection, account: int) -> SettingsRow | None:
    mine = select(anomaly_settings).where(anomaly_settings.c.account == account)
    row = connection.execute(mine).mappings().first()
    return None if row is None else SettingsRow(**row)


def save_settings(connection: Connection, row: SettingsRow) -> None:
    connection.execute(anomaly_settings.delete().where(anomaly_settings.c.account == row.account))
    connection.execute(insert(anomaly_settings).values(msgspec.structs.asdict(row)))


def insert_planned(connection: Connection, row: PlannedRow) -> None:
    connection.execute(insert(planned_activities).values(msgspec.structs.asdict(row)))


def select_planned(
    connection: Connection, account: int, *, ends_after_us: int = 0
) -> list[PlannedRow]:
    """The account's planned activities that end after an instant, by start."""
    mine = (
        select(planned_activities)
        .where(planned_activities.c.account == account, planned_activities.c.end_us > ends_after_us)
        .order_by(planned_activities.c.start_us, planned_activities.c.id)
    )
    return [PlannedRow(**row) for row in connection.execute(mine).mappings()]


def delete_planned(connection: Connection, account: int, planned_id: str) -> bool:
    """Whether the account had it; it is gone now."""
    mine = and_(planned_activities.c.account == account, planned_activities.c.id == planned_id)
    return connection.execute(planned_activities.delete().where(mine)).rowcount > 0


def find_run(connection: Connection, account: int) -> tuple[int, int] | None:
    """The hour an account is judged up to (exclusive), and when that was done."""
    mine = select(anomaly_runs.c.judged_to_hour, anomaly_runs.c.ran_at_us)
    row = connection.execute(mine.where(anomaly_runs.c.account == account)).first()
    return None if row is None else (int(row[0]), int(row[1]))


def save_run(connection: Connection, account: int, judged_to_hour: int, now_us: int) -> None:
    connection.execute(anomaly_runs.delete().where(anomaly_runs.c.account == account))
    values = {"account": account, "judged_to_hour": judged_to_hour, "ran_at_us": now_us}
    connection.execute(insert(anomaly_runs).values(values))


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [anomalies.c.account == wanted.account]
    if wanted.status is not None:
        conditions.append(anomalies.c.status == wanted.status)
    if wanted.entity_type is not None:
        conditions.append(anomalies.c.entity_type == wanted.entity_type)
    if wanted.entity_id is not None:
        conditions.append(anomalies.c.entity_id == wanted.entity_id)
    if wanted.start_us is not None:
        conditions.append(anomalies.c.end_us > wanted.start_us)
    if wanted.end_us is not None:
        conditions.append(anomalies.c.start_us < wanted.end_us)
    return conditions


def _anomaly(row: RowMapping) -> AnomalyRow:
    return AnomalyRow(**{name: row[name] for name in AnomalyRow.__struct_fields__})
