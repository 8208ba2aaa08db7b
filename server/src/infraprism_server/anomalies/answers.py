"""Rows as answers, and settings as what the detector is tuned with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from infraprism_server.anomalies.explanation import impact_percent, severity_of
from infraprism_server.anomalies.finding import Sensitivity, Tuning
from infraprism_server.anomalies.picture import BandPoint
from infraprism_server.anomalies.schemas import (
    AnomalyOut,
    AnomalySeries,
    Contributor,
    PlannedOut,
    SeriesHour,
    SettingsOut,
    Status,
    Window,
)
from infraprism_server.anomalies.store import AnomalyRow, PlannedRow, SettingsRow
from infraprism_server.http.wire import Digits, Dollars, Instant, instant
from infraprism_server.money import PICO_PER_DOLLAR


def anomaly_out(row: AnomalyRow) -> AnomalyOut:
    """An anomaly as the API and the webhook tell it."""
    detail = row.told
    percent = impact_percent(detail.actual_pico, detail.expected_pico)
    return AnomalyOut(
        id=row.id,
        status=cast("Status", row.status),
        kind=row.kind,  # type: ignore[arg-type]  # the detector writes no other
        severity=severity_of(row.severity),
        entity_type=row.entity_type or None,
        entity_id=row.entity_id or None,
        text=detail.text,
        window=Window(Instant(detail.start_us), Instant(detail.end_us)),
        episode=Window(Instant(row.start_us), Instant(row.end_us)),
        ongoing=not row.closed,
        actual_usd=Dollars(detail.actual_pico),
        expected_usd=Dollars(detail.expected_pico),
        lower_usd=Dollars(detail.lower_pico),
        upper_usd=Dollars(detail.upper_pico),
        impact_usd=Dollars(detail.actual_pico - detail.expected_pico),
        impact_percent=None if percent is None else Digits(percent),
        comparable=[Instant(us) for us in detail.comparable_us],
        contributors=[
            Contributor(
                one.dimension, one.value, Dollars(one.cost_pico), Dollars(one.week_before_pico)
            )
            for one in detail.contributors
        ],
        detected_at=Instant(row.detected_at_us),
    )


def series_out(anomaly: AnomalyOut, points: Iterable[BandPoint]) -> AnomalySeries:
    """The picture of an anomaly."""
    start_us, end_us = anomaly.episode.start.us, anomaly.episode.end.us
    return AnomalySeries(
        id=anomaly.id,
        entity_type=anomaly.entity_type,
        entity_id=anomaly.entity_id,
        episode=anomaly.episode,
        hours=[
            SeriesHour(
                start=Instant(point.start_us),
                actual_usd=Dollars(point.actual_pico),
                expected_usd=_dollars(point.expected_pico),
                lower_usd=_dollars(point.lower_pico),
                upper_usd=_dollars(point.upper_pico),
                in_episode=start_us <= point.start_us < end_us,
            )
            for point in points
        ],
    )


def impact_pico(row: AnomalyRow) -> int:
    """Actual minus expected of the row's window."""
    detail = row.told
    return detail.actual_pico - detail.expected_pico


def default_settings(account: int) -> SettingsRow:
    """What holds until something is set."""
    return SettingsRow(
        account=account,
        sensitivity="default",
        minimum_impact_pico=str(PICO_PER_DOLLAR),
        watched_types=None,
        snoozed_until_us=None,
    )


def settings_out(row: SettingsRow) -> SettingsOut:
    types = row.watched_types
    return SettingsOut(
        sensitivity=cast("Sensitivity", row.sensitivity),
        minimum_impact_usd=Dollars(int(row.minimum_impact_pico)),
        watched_types=None if types is None else msgspec.json.decode(types, type=list[str]),
        snoozed_until=instant(row.snoozed_until_us),
    )


def tuning_of(row: SettingsRow | None) -> Tuning:
    """The detector's own settings; the offset is each hour's."""
    if row is None:
        return Tuning()
    return Tuning(cast("Sensitivity", row.sensitivity), int(row.minimum_impact_pico))


def planned_out(row: PlannedRow) -> PlannedOut:
    return PlannedOut(
        id=row.id,
        start=Instant(row.start_us),
        end=Instant(row.end_us),
        entity_type=row.entity_type or None,
        entity_id=row.entity_id or None,
        note=row.note,
        created_at=Instant(row.created_at_us),
    )


def _dollars(pico: int | None) -> Dollars | None:
    return None if pico is None else Dollars(pico)
