"""The synchronous client of the REST API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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


class Client:
    """The REST API, typed: `with Client() as client: client.me()`.

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
        self._http = httpx2.Client(timeout=timeout_seconds)
        self.events = Events(self)
        self.entities = Entities(self)
        self.api_keys = ApiKeys(self)
        self.prices = Prices(self)

    def me(self) -> Account:
        """The account whose key is used."""
        return self.send(requests.me())

    def usage(self, *, limit: int = 1000, **options: Unpack[UsageOptions]) -> Usage:
        """Sums over the events that match, by interval and group."""
        return self.send(requests.usage(options, limit))

    def send(self, request: Request[T]) -> T:
        """Send any request of `infraprism.api.requests`; its result, or an APIError."""
        arguments = self._wire.arguments(request)
        attempt = 0
        while True:
            problem: Exception | None = None
            response: httpx2.Response | None = None
            try:
                response = self._http.request(**arguments)
            except httpx2.TransportError as error:
                problem = error
            wait = self._wire.wait_before(attempt, response)
            if wait is None:
                break
            attempt += 1
            time.sleep(wait)
        if response is None:
            raise ConnectionFailed(f"no answer: {type(problem).__name__}") from problem
        return result_of(request, response)

    def pages(self, request: Request[Page[T]]) -> Iterator[T]:
        """Every item of a list, page after page as they are needed."""
        following: Request[Page[T]] | None = request
        while following is not None:
            page = self.send(following)
            yield from page.data
            following = requests.following(following, page)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Events:
    """The calls."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, *, limit: int = 100, offset: int = 0, **filters: Unpack[Filters]) -> Page[Event]:
        """One page, newest first."""
        return self._client.send(requests.list_events(filters, limit, offset))

    def iterate(self, *, page_size: int = PAGE, **filters: Unpack[Filters]) -> Iterator[Event]:
        """All that match, newest first; pages are fetched as they are needed."""
        return self._client.pages(requests.list_events(filters, page_size))

    def get(self, event_id: str) -> Event:
        return self._client.send(requests.get_event(event_id))


class Entities:
    """Customers, teams, projects, employees, and types of your own."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
        self, *, limit: int = 100, offset: int = 0, **filters: Unpack[EntityFilters]
    ) -> Page[Entity]:
        """One page, the dearest first unless `sort` says otherwise."""
        return self._client.send(requests.list_entities(filters, limit, offset))

    def iterate(
        self, *, page_size: int = PAGE, **filters: Unpack[EntityFilters]
    ) -> Iterator[Entity]:
        return self._client.pages(requests.list_entities(filters, page_size))

    def get(self, entity_type: str, entity_id: str) -> Entity:
        """One entity with its cost by model."""
        return self._client.send(requests.get_entity(entity_type, entity_id))


class ApiKeys:
    """The account's API keys."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, *, limit: int = 100, offset: int = 0) -> Page[ApiKey]:
        return self._client.send(requests.list_api_keys(limit, offset))

    def create(
        self, name: str, *, scopes: Sequence[str] = ("full",), expires_at: datetime | None = None
    ) -> CreatedApiKey:
        """A new key; its text is in `key`, this once."""
        return self._client.send(requests.create_api_key(name, scopes, expires_at))

    def delete(self, key_id: str) -> None:
        self._client.send(requests.delete_api_key(key_id))


class Prices:
    """What models cost."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def look_up(
        self,
        provider: str,
        model: str,
        *,
        service_tier: str = "standard",
        at: datetime | None = None,
    ) -> Price:
        """The price of a model, now or at a time."""
        return self._client.send(requests.look_up_price(provider, model, service_tier, at))
