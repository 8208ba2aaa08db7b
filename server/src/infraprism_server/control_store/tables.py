"""The control plane's tables, for SQLite and PostgreSQL alike. Each feature queries its own.

Instants are integer microseconds UTC, money is text of an exact decimal or integer pico-dollars,
JSON is text written by msgspec: one meaning on both engines. A migration in migrations/ exists for
every change here; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation = Table(
    "installation",
    metadata,
    Column("instance_id", Text, primary_key=True),
    Column("created_at_us", BigInteger, nullable=False),
    Column("written_by", Text, nullable=False),  # version of the program that made this schema
)
"""One row: which installation this is. The event store carries the same id."""

accounts = Table(
    "accounts",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("rate_limit_per_minute", Integer),  # enterprise: a number of its own
    Column("timezone", Text, nullable=False),
    Column("retention_days", Integer),  # null keeps events for ever
    Column("created_at_us", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("last_used_at_us", BigInteger),
)

entities = Table(
    "entities",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), primary_key=True),
    Column("entity_type", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("name", Text),
    Column("metadata", Text, nullable=False),  # JSON object
    Column("revenue_usd_monthly", Text),  # exact decimal
    Column("updated_at_us", BigInteger, nullable=False),
)
"""What people say about an entity; what it costs is in the event store."""

price_rates = Table(
    "price_rates",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("rates", Text, nullable=False),  # JSON, see pricing/rate_card.py
    Column("created_at_us", BigInteger, nullable=False),
)
"""Rates as they were used, never changed: events point here, and their cost is explained by it."""

price_overrides = Table(
    "price_overrides",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("match", Text, nullable=False),  # exact, prefix, provider
    Column("model", Text),  # null for a provider-wide discount
    Column("rates", Text),  # JSON of prices per million; null for a discount
    Column("discount_percent", Text),  # exact decimal
    Column("effective_from_us", BigInteger),
    Column("effective_to_us", BigInteger),
    Column("note", Text),
    Column("created_at_us", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), index=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),  # queued, running, completed, failed, cancelled
    Column("input", Text, nullable=False),  # JSON
    Column("progress", Text, nullable=False),  # JSON: done, total, and where to go on after a kill
    Column("result", Text),  # JSON
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("leased_until_us", BigInteger),
    Column("lease", Text),  # who holds it
    Column("created_at_us", BigInteger, nullable=False),
    Column("finished_at_us", BigInteger),
    Index("ix_jobs_status_created_at_us", "status", "created_at_us"),
)
"""Operator work: whoever inserts the row watches it, the process that owns the stores does it."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("key", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("holds_secret", Boolean, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary),  # null where the answer held a secret
    Column("created_at_us", BigInteger, nullable=False, index=True),
    UniqueConstraint("account", "key"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),  # msg_…, the webhook-id that receivers see
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON object
    Column("created_at_us", BigInteger, nullable=False),
)
"""What happened and was not yet handed to the webhooks: written with the change it tells of."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),  # JSON list
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("secret", LargeBinary, nullable=False),  # sealed, see secret_box.py
    Column("former_secret", LargeBinary),
    Column("former_secret_until_us", BigInteger),
    Column("failing_since_us", BigInteger),  # first failure after the last success
    Column("answered", Boolean, nullable=False, server_default=false()),  # when last asked
    Column("created_at_us", BigInteger, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("webhook", Text, ForeignKey("webhooks.id"), nullable=False),
    Column("message", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),  # the bytes that are signed and sent, always the same
    Column("status", Text, nullable=False),  # pending, delivered, failed
    Column("attempts", Integer, nullable=False),
    Column("round_start", Integer, nullable=False),  # attempts before the schedule began anew
    Column("next_attempt_at_us", BigInteger),  # null once finished
    Column("lease", Text),
    Column("leased_until_us", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
    Column("finished_at_us", BigInteger),
    UniqueConstraint("webhook", "message"),
    Index("ix_deliveries_status_next_attempt_at_us", "status", "next_attempt_at_us"),
    Index("ix_deliveries_webhook_created_at_us", "webhook", "created_at_us"),
    Index(
        "ix_deliveries_webhook_status_next_attempt_at_us_id",
        *("webhook", "status", "next_attempt_at_us", "id"),
    ),
)
"""One message for one endpoint."""

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery", Text, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at_us", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status_code", Integer),  # null: no answer
    Column("error", Text),
    Column("response_excerpt", Text),
)

exports = Table(
    "exports",
    metadata,
    Column("id", Text, primary_key=True),  # the job's id as well
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("format", Text, nullable=False),
    Column("base_url", Text, nullable=False),  # what its link starts with
    Column("rows_total", BigInteger, nullable=False),
    Column("bytes", BigInteger),
    Column("created_at_us", BigInteger, nullable=False),
    Column("completed_at_us", BigInteger),
    Column("expires_at_us", BigInteger),  # null until it is completed
    Column("purged", Boolean, nullable=False),  # whether the file is gone
    Index("ix_exports_account_created_at_us", "account", "created_at_us"),
)
"""What was exported; whether the work runs or failed is told by the job with the same id."""

limits = Table(
    "limits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("entity_type", Text, nullable=False),
    Column("entity_id", Text, nullable=False),  # or *: each entity of the type, on its own
    Column("metric", Text, nullable=False),  # cost_usd, tokens, requests
    Column("amount", Text, nullable=False),  # integer: pico-dollars, tokens or requests
    Column("period", Text, nullable=False),  # hour, day, week, month, total
    Column("timezone", Text, nullable=False),
    Column("action", Text, nullable=False),  # notify, block
    Column("approaching", Text, nullable=False),  # JSON list of exact decimals as text
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Index("ix_limits_account_created_at_us", "account", "created_at_us"),
)

limit_alerts = Table(
    "limit_alerts",
    metadata,
    Column("limit_id", Text, ForeignKey("limits.id"), primary_key=True),
    Column("amount", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("period_start_us", BigInteger, primary_key=True),
    Column("threshold", Text, primary_key=True),  # 1, or the fraction that was approached
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Index("ix_limit_alerts_account_period_start_us", "account", "period_start_us"),
)
"""What was told, in the transaction that told it: its key is what is never told twice."""

unpriced_alerts = Table(
    "unpriced_alerts",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), primary_key=True),
    Column("day", Text, primary_key=True),  # of the server's clock, UTC
    Column("created_at_us", BigInteger, nullable=False),
)
"""The days on which an account was told of an unpriced model."""

sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
)
"""Links into the dashboard, each good once; the row goes when it is used."""

dashboard_sessions = Table(
    "dashboard_sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
)
"""Browsers that are signed in; the row goes when they sign out."""

anomalies = Table(
    "anomalies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False),
    Column("entity_type", Text, nullable=False),  # empty, with entity_id: the account's total
    Column("entity_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # spike, drift, new_entity
    Column("status", Text, nullable=False),  # open, expected, resolved
    Column("start_us", BigInteger, nullable=False),  # of the episode
    Column("end_us", BigInteger, nullable=False),
    Column("closed", Boolean, nullable=False),  # 24 quiet hours have passed
    Column("new_normal", Boolean, nullable=False),
    Column("severity", Text, nullable=False),  # decimal: half-widths of the band
    Column("detail", Text, nullable=False),  # JSON, see anomalies/store.py
    Column("detected_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    UniqueConstraint("account", "entity_type", "entity_id", "kind", "start_us"),
    Index("ix_anomalies_account_detected_at_us", "account", "detected_at_us"),
    Index("ix_anomalies_account_end_us", "account", "end_us"),
)
"""One row an episode; it is told in the transaction that inserts it, and so once."""

anomaly_settings = Table(
    "anomaly_settings",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), primary_key=True),
    Column("sensitivity", Text, nullable=False),
    Column("minimum_impact_pico", Text, nullable=False),
    Column("watched_types", Text),  # JSON list; null: every type, and the total
    Column("snoozed_until_us", BigInteger),
)

planned_activities = Table(
    "planned_activities",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Integer, ForeignKey("accounts.number"), nullable=False, index=True),
    Column("entity_type", Text, nullable=False),  # empty, with entity_id: the whole account
    Column("entity_id", Text, nullable=False),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
)

anomaly_runs = Table(
    "anomaly_runs",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), primary_key=True),
    Column("judged_to_hour", BigInteger, nullable=False),  # exclusive, hours since the epoch
    Column("ran_at_us", BigInteger, nullable=False),
)

sdk_counts = Table(
    "sdk_counts",
    metadata,
    Column("account", Integer, ForeignKey("accounts.number"), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # of UTC, since 1970
    Column("version", Text, primary_key=True),
    Column("runtime", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # reports, queued, sent, dropped, field
    Column("name", Text, primary_key=True),  # a reason or a field; else empty
    Column("count", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
)
"""What the SDKs reported, added up by day, version and runtime."""
