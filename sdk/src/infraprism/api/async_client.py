"""The asynchronous client of the REST API: the same requests, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import TypeVar, Unpack

import httpx2

from infraprism.api import requests
from infraprism.api.errors import ConnectionFailed
from infraprism.api.requests import EntityFilters, Filters, Request, UsageOptions
from infraprism.api.sending import Wire, result_of
from infraprism.api.types import Account, ApiKey, CreatedApiKey, Entity, Event, Page, Price, Usage

T = TypeVar("T")

PAGE = 500


class AsyncClient:
    """The REST API, typed: `async with AsyncClient() as client: await client.me()`.

    `api_key` and `base_url` default to INFRAPRISM_API_KEY and INFRAPRISM_BASE_URL. Requests that
    fail on the way, with 429 or with a 5xx are retried; POSTs carry an idempotency key.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 30.0,
        max_retries: int = 2,
    ) -> None:
        self._wire = Wire.from_arguments(api_key, base_url, max_retries)
        self._http = httpx2.AsyncClient(timeout=timeout_seconds)
        self.events = AsyncEvents(self)
        self.entities = AsyncEntities(self)
        self.api_keys = AsyncApiKeys(self)
        self.prices = AsyncPrices(self)

    async def me(self) -> Account:
        """The account whose key is used."""
        return await self.send(requests.me())

    async def usage(self, *, limit: int = 1000, **options: Unpack[UsageOptions]) -> Usage:
        """Sums over the events that match, by interval and group."""
        return await self.send(requests.usage(options, limit))

    async def send(self, request: Request[T]) -> T:
        """Send any request of `infraprism.api.requests`; its result, or an APIError."""
        arguments = self._wire.arguments(request)
        attempt = 0
        while True:
            problem: Exception | None = None
            response: httpx2.Response | None = None
            try:
                response = await self._http.request(**arguments)
            except httpx2.TransportError as error:
                problem = error
            wait = self._wire.wait_before(attempt, response)
            if wait is None:
                break
            attempt += 1
            await asyncio.sleep(wait)
        if response is None:
            raise ConnectionFailed(f"no answer: {type(problem).__name__}") from problem
        return result_of(request, response)

    async def pages(self, request: Request[Page[T]]) -> AsyncIterator[T]:
        """Every item of a list, page after page as they are needed."""
        following: Request[Page[T]] | None = request
        while following is not None:
            page = await self.send(following)
            for item in page.data:
                yield item
            following = requests.following(following, page)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncEvents:
    """The calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[Filters]
    ) -> Page[Event]:
        """One page, newest first."""
        return await self._client.send(requests.list_events(filters, limit, offset))

    def iterate(self, *, page_size: int = PAGE, **filters: Unpack[Filters]) -> AsyncIterator[Event]:
        """All that match, newest first; pages are fetched as they are needed."""
        return self._client.pages(requests.list_events(filters, page_size))

    async def get(self, event_id: str) -> Event:
        return await self._client.send(requests.get_event(event_id))


class AsyncEntities:
    """Customers, teams, projects, employees, and types of your own."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[EntityFilters]
    ) -> Page[Entity]:
        """One page, the dearest first unless `sort` says otherwise."""
        return await self._client.send(requests.list_entities(filters, limit, offset))

    def iterate(
        self, *, page_size: int = PAGE, **filters: Unpack[EntityFilters]
    ) -> AsyncIterator[Entity]:
        return self._client.pages(requests.list_entities(filters, page_size))

    async def get(self, entity_type: str, entity_id: str) -> Entity:
        """One entity with its cost by model."""
        return await self._client.send(requests.get_entity(entity_type, entity_id))


class AsyncApiKeys:
    """The account's API keys."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self, *, limit: int = 100, offset: int = 0) -> Page[ApiKey]:
        return await self._client.send(requests.list_api_keys(limit, offset))

    async def create(
        self, name: str, *, scopes: Sequence[str] = ("full",), expires_at: datetime | None = None
    ) -> CreatedApiKey:
        """A new key; its text is in `key`, this once."""
        return await self._client.send(requests.create_api_key(name, scopes, expires_at))

    async def delete(self, key_id: str) -> None:
        await self._client.send(requests.delete_api_key(key_id))


class AsyncPrices:
    """What models cost."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def look_up(
        self,
        provider: str,
        model: str,
        *,
        service_tier: str = "standard",
        at: datetime | None = None,
    ) -> Price:
        """The price of a model, now or at a time."""
        return await self._client.send(requests.look_up_price(provider, model, service_tier, at))
