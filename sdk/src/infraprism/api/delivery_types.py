"""Webhooks, exports and the reports of the SDK."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint without its secret."""

    id: str
    url: str
    events: list[str]
    created_at: datetime
    disabled_reason: str | None
    enabled: bool
    failing_since: datetime | None
    former_secret_until: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookWithSecret:
    """An endpoint and its new secret: shown here, once, and nowhere again."""

    id: str
    url: str
    events: list[str]
    created_at: datetime
    disabled_reason: str | None
    enabled: bool
    failing_since: datetime | None
    former_secret_until: datetime | None
    secret: str

    def __repr__(self) -> str:
        # A log line that shows the object must not show the secret.
        return f"WebhookWithSecret(id={self.id!r}, url={self.url!r})"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. Without an answer `status_code` is null and `error` says why."""

    number: int
    duration_ms: int
    error: str | None
    response_excerpt: str | None
    started_at: datetime
    status_code: int | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way to one endpoint. `message_id` is the `webhook-id` it carries."""

    id: str
    status: str
    type: str
    message_id: str
    attempts: list[Attempt]
    created_at: datetime
    finished_at: datetime | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExportState:
    """One export. `download_url` needs no key; it is null before completion and after expiry."""

    id: str
    status: str
    completed_at: datetime | None
    created_at: datetime
    download_url: str | None
    error: str | None
    expires_at: datetime | None
    format: str
    rows_total: int
    rows_written: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class SdkDay:
    """One day of UTC."""

    date: date
    reports: int
    queued: int
    sent: int
    dropped_events: int


@dataclass(frozen=True, slots=True)
class SdkVersion:
    """What the processes of one version and runtime reported."""

    version: str
    runtime: str
    reports: int
    queued: int
    sent: int
    dropped_events: int
    dropped: dict[str, int]
    fields_dropped: dict[str, int]
    last_report_at: datetime


@dataclass(frozen=True, slots=True)
class SdkHealth:
    """The sums over all reports of the account, by version and by day."""

    reports: int
    queued: int
    sent: int
    dropped_events: int
    dropped: dict[str, int]
    fields_dropped: dict[str, int]
    by_day: list[SdkDay]
    last_report_at: datetime | None
    since: datetime
    versions: list[SdkVersion]


@dataclass(frozen=True, slots=True)
class SdkReportReceipt:
    """The report is counted."""

    id: str
    received_at: datetime
