"""Made by `python -m sdk.make_async`: the awaited twin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from infraprism.api.async_resources import PAGE
from infraprism.api.fields import (
    AnomalyFilters,
    AnomalySettingsChanges,
    AnomalyStatus,
    Dollars,
    LimitChanges,
    LimitOptions,
    Metric,
    Moment,
    Period,
    WebhookChanges,
    WebhookEvent,
)
from infraprism.api.requests import deletion, listed, one
from infraprism.api.types import (
    Anomaly,
    AnomalySeries,
    AnomalySettings,
    BlockChanges,
    Delivery,
    Limit,
    LimitStatus,
    Page,
    PlannedActivity,
    SdkHealth,
    SdkReportReceipt,
    Webhook,
    WebhookWithSecret,
)

if TYPE_CHECKING:
    from infraprism.api.async_client import AsyncClient


class AsyncLimits:
    """What entities may spend, where they stand, and who is blocked."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self,
        *,
        entity_type: str | None = None,
        entity_id: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Limit]:
        """One page, newest first; of an entity those that name it, `*` ones are named `*`."""
        query = {
            "entity_type": entity_type,
            "entity_id": entity_id,
            "limit": limit,
            "offset": offset,
        }
        return await self._client.send(listed("/limits", Limit, query=query))

    def iterate(
        self,
        *,
        entity_type: str | None = None,
        entity_id: str | None = None,
        page_size: int = PAGE,
    ) -> AsyncIterator[Limit]:
        """All that match; pages are fetched as they are needed."""
        query = {"entity_type": entity_type, "entity_id": entity_id, "limit": page_size}
        return self._client.pages(listed("/limits", Limit, query=query))

    async def create(
        self,
        entity_type: str,
        entity_id: str,
        *,
        metric: Metric,
        amount: Dollars,
        period: Period,
        **options: Unpack[LimitOptions],
    ) -> Limit:
        """Limit what an entity, or with `*` each entity of a type, may spend in a period."""
        body = {
            "entity_type": entity_type,
            "entity_id": entity_id,
            "metric": metric,
            "amount": amount,
            "period": period,
            **options,
        }
        return await self._client.send(one("POST", "/limits", Limit, body=body))

    async def get(self, limit_id: str) -> Limit:
        """One limit with its current period."""
        return await self._client.send(one("GET", "/limits/{limit_id}", Limit, limit_id))

    async def update(self, limit_id: str, **changes: Unpack[LimitChanges]) -> Limit:
        """Change a limit; it is looked at again at once."""
        return await self._client.send(
            one("PATCH", "/limits/{limit_id}", Limit, limit_id, body=dict(changes))
        )

    async def delete(self, limit_id: str) -> None:
        """What it blocked is free."""
        await self._client.send(deletion("/limits/{limit_id}", limit_id))

    async def status(self, entity_type: str, entity_id: str) -> LimitStatus:
        """Whether an entity may call now, and the limit that decides."""
        query = {"entity_type": entity_type, "entity_id": entity_id}
        return await self._client.send(one("GET", "/limits/status", LimitStatus, query=query))

    async def blocked(self, since: datetime | None = None) -> BlockChanges:
        """Who is blocked, or what changed since the `as_of` of an answer before."""
        return await self._client.send(
            one("GET", "/limits/blocked", BlockChanges, query={"since": since})
        )


class AsyncAnomalies:
    """Spending that does not fit, how it is looked for, and when it is meant to be."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[AnomalyFilters]
    ) -> Page[Anomaly]:
        """One page, what was detected last first."""
        query = {**filters, "limit": limit, "offset": offset}
        return await self._client.send(listed("/anomalies", Anomaly, query=query))

    def iterate(
        self, *, page_size: int = PAGE, **filters: Unpack[AnomalyFilters]
    ) -> AsyncIterator[Anomaly]:
        """All that match; pages are fetched as they are needed."""
        query = {**filters, "limit": page_size}
        return self._client.pages(listed("/anomalies", Anomaly, query=query))

    async def get(self, anomaly_id: str) -> Anomaly:
        """One anomaly."""
        return await self._client.send(one("GET", "/anomalies/{anomaly_id}", Anomaly, anomaly_id))

    async def update(self, anomaly_id: str, *, status: AnomalyStatus) -> Anomaly:
        """Say what became of it: `expected` ones teach what is usual."""
        body = {"status": status}
        route = "/anomalies/{anomaly_id}"
        return await self._client.send(one("PATCH", route, Anomaly, anomaly_id, body=body))

    async def series(
        self,
        anomaly_id: str,
        *,
        hours_before: int | None = None,
        hours_after: int | None = None,
    ) -> AnomalySeries:
        """The hours around it, with the band they were judged by."""
        query = {"hours_before": hours_before, "hours_after": hours_after}
        route = "/anomalies/{anomaly_id}/series"
        return await self._client.send(one("GET", route, AnomalySeries, anomaly_id, query=query))

    async def settings(self) -> AnomalySettings:
        """How the account is watched."""
        return await self._client.send(one("GET", "/anomalies/settings", AnomalySettings))

    async def update_settings(self, **changes: Unpack[AnomalySettingsChanges]) -> AnomalySettings:
        """Change how the account is watched."""
        route = "/anomalies/settings"
        return await self._client.send(one("PATCH", route, AnomalySettings, body=dict(changes)))

    async def list_planned(self, *, limit: int = 100, offset: int = 0) -> Page[PlannedActivity]:
        """One page of times in which more is spent on purpose."""
        query = {"limit": limit, "offset": offset}
        return await self._client.send(listed("/anomalies/planned", PlannedActivity, query=query))

    async def plan(
        self,
        start_date: Moment,
        end_date: Moment,
        *,
        entity_type: str | None = None,
        entity_id: str | None = None,
        note: str = "",
    ) -> PlannedActivity:
        """More will be spent on purpose, by one entity or by anyone: nothing is told of it."""
        body = {"start_date": start_date, "end_date": end_date, "note": note}
        if entity_type is not None:
            body |= {"entity_type": entity_type, "entity_id": entity_id or ""}
        return await self._client.send(
            one("POST", "/anomalies/planned", PlannedActivity, body=body)
        )

    async def delete_planned(self, planned_id: str) -> None:
        """It is watched again."""
        await self._client.send(deletion("/anomalies/planned/{planned_id}", planned_id))


class AsyncWebhooks:
    """Who is told, and what became of each message. `infraprism.webhooks.verify` checks them."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, *, limit: int = 100, offset: int = 0) -> Page[Webhook]:
        """One page, newest first."""
        return await self._client.send(
            listed("/webhooks", Webhook, query={"limit": limit, "offset": offset})
        )

    def iterate(self, *, page_size: int = PAGE) -> AsyncIterator[Webhook]:
        """All of them; pages are fetched as they are needed."""
        return self._client.pages(listed("/webhooks", Webhook, query={"limit": page_size}))

    async def create(self, url: str, events: Sequence[WebhookEvent]) -> WebhookWithSecret:
        """Tell a URL of events; what they are signed with is in `secret`, this once."""
        body = {"url": url, "events": [*events]}
        return await self._client.send(one("POST", "/webhooks", WebhookWithSecret, body=body))

    async def get(self, webhook_id: str) -> Webhook:
        """One webhook, without its secret."""
        return await self._client.send(one("GET", "/webhooks/{webhook_id}", Webhook, webhook_id))

    async def update(self, webhook_id: str, **changes: Unpack[WebhookChanges]) -> Webhook:
        """Another URL, other events, or `enabled`."""
        route = "/webhooks/{webhook_id}"
        return await self._client.send(one("PATCH", route, Webhook, webhook_id, body=dict(changes)))

    async def delete(self, webhook_id: str) -> None:
        """Nothing more is sent to it."""
        await self._client.send(deletion("/webhooks/{webhook_id}", webhook_id))

    async def rotate_secret(self, webhook_id: str) -> WebhookWithSecret:
        """A new secret, shown this once; for 24 hours messages are signed with both."""
        route = "/webhooks/{webhook_id}/rotate-secret"
        return await self._client.send(
            one("POST", route, WebhookWithSecret, webhook_id, repeatable=False)
        )

    async def test(self, webhook_id: str) -> Delivery:
        """Send it a message of the type `webhook.test`."""
        route = "/webhooks/{webhook_id}/test"
        return await self._client.send(one("POST", route, Delivery, webhook_id))

    async def list_deliveries(
        self, webhook_id: str, *, limit: int = 100, offset: int = 0
    ) -> Page[Delivery]:
        """One page of messages with their attempts, newest first."""
        route = "/webhooks/{webhook_id}/deliveries"
        query = {"limit": limit, "offset": offset}
        return await self._client.send(listed(route, Delivery, webhook_id, query=query))

    def iterate_deliveries(
        self, webhook_id: str, *, page_size: int = PAGE
    ) -> AsyncIterator[Delivery]:
        """All of them; pages are fetched as they are needed."""
        route = "/webhooks/{webhook_id}/deliveries"
        return self._client.pages(listed(route, Delivery, webhook_id, query={"limit": page_size}))

    async def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a message again, with the same id."""
        route = "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"
        return await self._client.send(
            one("POST", route, Delivery, webhook_id, delivery_id, repeatable=False)
        )


class AsyncSdk:
    """What SDKs say became of the calls they saw."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def health(self, *, days: int | None = None) -> SdkHealth:
        """Queued, sent and dropped by reason, of all processes, by version and by day."""
        return await self._client.send(one("GET", "/sdk/health", SdkHealth, query={"days": days}))

    async def report(
        self,
        version: str,
        runtime: str,
        *,
        queued: int = 0,
        sent: int = 0,
        dropped: Mapping[str, int] | None = None,
        fields_dropped: Mapping[str, int] | None = None,
    ) -> SdkReportReceipt:
        """Add numbers to those sums: for an SDK of your own. Ours reports by itself."""
        body = {
            "version": version,
            "runtime": runtime,
            "queued": queued,
            "sent": sent,
            "dropped": {**(dropped or {})},
            "fields_dropped": {**(fields_dropped or {})},
        }
        return await self._client.send(one("POST", "/sdk/reports", SdkReportReceipt, body=body))
