"""Anomalies, how they are looked for, and when not to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Window:
    """From start to before end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Contributor:
    """What a part of the window's cost came from, beside the same hours a week before."""

    cost_usd: Decimal
    dimension: str
    value: str | None
    week_before_usd: Decimal


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly: the window of its episode that was furthest outside of its band."""

    id: str
    entity_type: str | None
    entity_id: str | None
    kind: str
    status: str
    severity: str
    window: Window
    episode: Window
    actual_usd: Decimal
    expected_usd: Decimal
    lower_usd: Decimal
    upper_usd: Decimal
    impact_usd: Decimal
    impact_percent: Decimal | None
    comparable: list[datetime]
    contributors: list[Contributor]
    detected_at: datetime
    ongoing: bool
    text: str


@dataclass(frozen=True, slots=True)
class SeriesHour:
    """One hour of the picture. The band is that of single hours, null while too little is known."""

    start: datetime
    actual_usd: Decimal
    expected_usd: Decimal | None
    lower_usd: Decimal | None
    upper_usd: Decimal | None
    in_episode: bool


@dataclass(frozen=True, slots=True)
class AnomalySeries:
    """The hours around an episode, by start, without gaps, up to the open one."""

    id: str
    entity_type: str | None
    entity_id: str | None
    episode: Window
    hours: list[SeriesHour]


@dataclass(frozen=True, slots=True)
class AnomalySettings:
    """How an account is watched."""

    minimum_impact_usd: Decimal
    sensitivity: str
    snoozed_until: datetime | None
    watched_types: list[str] | None


@dataclass(frozen=True, slots=True)
class PlannedActivity:
    """Nothing is told of the entity in this time, and nothing is learnt from it."""

    id: str
    entity_type: str | None
    entity_id: str | None
    start: datetime
    end: datetime
    created_at: datetime
    note: str
