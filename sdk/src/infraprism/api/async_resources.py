"""Made by `python -m sdk.make_async`: the awaited twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

from infraprism.api.fields import (
    EntityChanges,
    EntityFilters,
    Filters,
    PriceFields,
    RepricingOptions,
    Scope,
    ServiceTier,
)
from infraprism.api.progress import Progress, check_time, deadline_after
from infraprism.api.requests import deletion, listed, one
from infraprism.api.types import (
    ApiKey,
    BatchAnswer,
    CostExplanation,
    CreatedApiKey,
    Entity,
    Event,
    Page,
    Price,
    PriceOverride,
    Repricing,
    UnpricedModel,
)

if TYPE_CHECKING:
    from infraprism.api.async_client import AsyncClient

PAGE = 500
"""Objects a request fetches while a list is iterated."""


class AsyncEvents:
    """The calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[Filters]
    ) -> Page[Event]:
        """One page, newest first."""
        query = {**filters, "limit": limit, "offset": offset}
        return await self._client.send(listed("/events", Event, query=query))

    def iterate(self, *, page_size: int = PAGE, **filters: Unpack[Filters]) -> AsyncIterator[Event]:
        """All that match, newest first; pages are fetched as they are needed."""
        return self._client.pages(listed("/events", Event, query={**filters, "limit": page_size}))

    async def get(self, event_id: str) -> Event:
        """One call."""
        return await self._client.send(one("GET", "/events/{event_id}", Event, event_id))

    async def explain_cost(self, event_id: str) -> CostExplanation:
        """How a cost came about, line by line: the lines add up to it exactly."""
        route = "/events/{event_id}/cost"
        return await self._client.send(one("GET", route, CostExplanation, event_id))

    async def create(self, events: Sequence[Mapping[str, Any]]) -> BatchAnswer:
        """Report 1 to 1,000 calls as docs/api-guide.md names their fields.

        Good events of a batch with bad ones are kept; `rejected` says what is wrong with the rest.
        With ids of your own a batch that is sent again counts once.
        """
        body = {"events": [dict(event) for event in events]}
        return await self._client.send(one("POST", "/events", BatchAnswer, body=body))


class AsyncEntities:
    """Customers, teams, projects, employees, and types of your own."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[EntityFilters]
    ) -> Page[Entity]:
        """One page, the dearest first unless `sort` says otherwise."""
        query = {**filters, "limit": limit, "offset": offset}
        return await self._client.send(listed("/entities", Entity, query=query))

    def iterate(
        self, *, page_size: int = PAGE, **filters: Unpack[EntityFilters]
    ) -> AsyncIterator[Entity]:
        """All that match; pages are fetched as they are needed."""
        query = {**filters, "limit": page_size}
        return self._client.pages(listed("/entities", Entity, query=query))

    async def get(self, entity_type: str, entity_id: str) -> Entity:
        """One entity with its cost by model."""
        route = "/entities/{entity_type}/{entity_id}"
        return await self._client.send(one("GET", route, Entity, entity_type, entity_id))

    async def update(
        self, entity_type: str, entity_id: str, **changes: Unpack[EntityChanges]
    ) -> Entity:
        """Name, metadata and monthly revenue; makes an entity that has no calls yet."""
        route = "/entities/{entity_type}/{entity_id}"
        return await self._client.send(
            one("PATCH", route, Entity, entity_type, entity_id, body=dict(changes))
        )


class AsyncApiKeys:
    """The account's API keys."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, *, limit: int = 100, offset: int = 0) -> Page[ApiKey]:
        """One page, newest first."""
        return await self._client.send(
            listed("/api-keys", ApiKey, query={"limit": limit, "offset": offset})
        )

    def iterate(self, *, page_size: int = PAGE) -> AsyncIterator[ApiKey]:
        """All of them; pages are fetched as they are needed."""
        return self._client.pages(listed("/api-keys", ApiKey, query={"limit": page_size}))

    async def create(
        self, name: str, *, scopes: Sequence[Scope] = ("full",), expires_at: datetime | None = None
    ) -> CreatedApiKey:
        """A new key; its text is in `key`, this once."""
        body: dict[str, Any] = {"name": name, "scopes": [*scopes]}
        if expires_at is not None:
            body["expires_at"] = expires_at
        return await self._client.send(one("POST", "/api-keys", CreatedApiKey, body=body))

    async def delete(self, key_id: str) -> None:
        """The key stops within a second."""
        await self._client.send(deletion("/api-keys/{key_id}", key_id))


class AsyncPrices:
    """What models cost: list prices, prices of your own, and new costs for old calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def look_up(
        self,
        provider: str,
        model: str,
        *,
        service_tier: ServiceTier = "standard",
        at: datetime | None = None,
    ) -> Price:
        """The price of a model, now or at a time."""
        query = {"provider": provider, "model": model, "service_tier": service_tier, "at": at}
        return await self._client.send(one("GET", "/prices/lookup", Price, query=query))

    async def list(self, *, limit: int = 100, offset: int = 0) -> Page[PriceOverride]:
        """One page of the account's own prices."""
        return await self._client.send(
            listed("/prices", PriceOverride, query={"limit": limit, "offset": offset})
        )

    def iterate(self, *, page_size: int = PAGE) -> AsyncIterator[PriceOverride]:
        """All of the account's own prices; pages are fetched as they are needed."""
        return self._client.pages(listed("/prices", PriceOverride, query={"limit": page_size}))

    async def create(self, provider: str, **fields: Unpack[PriceFields]) -> PriceOverride:
        """A price of the account's own: rates, or `discount_percent` on the list price."""
        body = {"provider": provider, **fields}
        return await self._client.send(one("POST", "/prices", PriceOverride, body=body))

    async def delete(self, price_id: str) -> None:
        """Calls from now on are priced without it."""
        await self._client.send(deletion("/prices/{price_id}", price_id))

    async def list_unpriced(self, *, limit: int = 100, offset: int = 0) -> Page[UnpricedModel]:
        """One page of the models whose calls have no price."""
        query = {"limit": limit, "offset": offset}
        return await self._client.send(listed("/prices/unpriced", UnpricedModel, query=query))

    async def reprice(self, **options: Unpack[RepricingOptions]) -> Repricing:
        """Price stored calls anew, in the background; `dry_run=True` says what would change."""
        return await self._client.send(
            one("POST", "/prices/repricings", Repricing, body=dict(options))
        )

    async def get_repricing(self, repricing_id: str) -> Repricing:
        """How far a repricing is, and what it came to."""
        route = "/prices/repricings/{repricing_id}"
        return await self._client.send(one("GET", route, Repricing, repricing_id))

    async def wait_for_repricing(
        self,
        repricing_id: str,
        *,
        timeout_seconds: float | None = None,
        progress: Progress | None = None,
    ) -> Repricing:
        """The repricing once it is over. WaitTimedOut when it takes longer than you wait."""
        deadline = deadline_after(timeout_seconds)
        while True:
            repricing = await self.get_repricing(repricing_id)
            if progress is not None:
                progress(repricing.events_done, repricing.events_total)
            if repricing.status not in {"queued", "running"}:
                return repricing
            check_time(deadline, f"repricing {repricing_id}")
            await asyncio.sleep(self._client.poll_seconds)
