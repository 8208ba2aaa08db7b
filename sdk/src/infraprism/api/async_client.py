"""Made by `python -m sdk.make_async`: the awaited twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar, Unpack

import httpx2

from infraprism.api.async_exports import AsyncExports
from infraprism.api.async_resources import (
    PAGE,
    AsyncApiKeys,
    AsyncEntities,
    AsyncEvents,
    AsyncPrices,
)
from infraprism.api.async_watch_resources import (
    AsyncAnomalies,
    AsyncLimits,
    AsyncSdk,
    AsyncWebhooks,
)
from infraprism.api.errors import ConnectionFailed, DownloadFailed
from infraprism.api.fields import AccountChanges, UsageOptions
from infraprism.api.progress import Progress
from infraprism.api.requests import Request, following, listed, one
from infraprism.api.sending import Wire, download_problem, result_of
from infraprism.api.types import Account, Page, Usage, UsageRow

T = TypeVar("T")


class AsyncClient:
    """The REST API, typed: `async with AsyncClient() as client: await client.me()`.

    `api_key` and `base_url` default to INFRAPRISM_API_KEY and INFRAPRISM_BASE_URL. Requests that
    fail on the way, with 429 or with a 5xx are sent again up to `max_retries` times; POSTs carry
    one idempotency key over all of them. `timeout_seconds` is for each attempt to connect, send
    and read. Every method may raise an error of `infraprism.api.errors`.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout_seconds: float = 30.0,
        max_retries: int = 2,
        poll_seconds: float = 0.5,
    ) -> None:
        """`poll_seconds`: between two looks at work that is waited for."""
        self._wire = Wire.from_arguments(api_key, base_url, max_retries)
        self._http = httpx2.AsyncClient(timeout=timeout_seconds)
        self.poll_seconds = poll_seconds
        self.events = AsyncEvents(self)
        self.entities = AsyncEntities(self)
        self.api_keys = AsyncApiKeys(self)
        self.prices = AsyncPrices(self)
        self.exports = AsyncExports(self)
        self.webhooks = AsyncWebhooks(self)
        self.limits = AsyncLimits(self)
        self.anomalies = AsyncAnomalies(self)
        self.sdk = AsyncSdk(self)

    async def me(self) -> Account:
        """The account whose key is used."""
        return await self.send(one("GET", "/me", Account))

    async def update_me(self, **changes: Unpack[AccountChanges]) -> Account:
        """Change name, company, time zone or retention of the account."""
        return await self.send(one("PATCH", "/me", Account, body=dict(changes)))

    async def usage(
        self, *, limit: int = 1000, offset: int = 0, **options: Unpack[UsageOptions]
    ) -> Usage:
        """Sums over the events that match, by interval and group: totals and a page of rows."""
        query = {**options, "limit": limit, "offset": offset}
        return await self.send(one("GET", "/usage", Usage, query=query))

    def usage_rows(
        self, *, page_size: int = PAGE, **options: Unpack[UsageOptions]
    ) -> AsyncIterator[UsageRow]:
        """All rows of such a report; pages are fetched as they are needed."""
        return self.pages(listed("/usage", UsageRow, query={**options, "limit": page_size}))

    async def send(self, request: Request[T]) -> T:
        """Send a request; its result, or an APIError."""
        arguments = self._wire.arguments(request)
        attempt = 0
        while True:
            problem: Exception | None = None
            response: httpx2.Response | None = None
            try:
                response = await self._http.request(**arguments)
            except httpx2.TransportError as error:
                problem = error
            wait = self._wire.wait_before(request, attempt, response, problem)
            if wait is None:
                break
            attempt += 1
            await asyncio.sleep(wait)
        if response is None:
            raise ConnectionFailed(f"no answer: {type(problem).__name__}") from problem
        return result_of(request, response, repeated=attempt > 0)

    async def pages(self, request: Request[Page[T]]) -> AsyncIterator[T]:
        """Every item of a list, page after page as they are needed."""
        upcoming: Request[Page[T]] | None = request
        while upcoming is not None:
            page = await self.send(upcoming)
            for item in page.data:
                yield item
            upcoming = following(upcoming, page)

    async def fetch(
        self, url: str, path: Path, size_bytes: int | None, progress: Progress | None
    ) -> None:
        """Write a file to `path`, by its link: without a key, which is nobody else's to see."""
        attempt = 0
        while True:
            try:
                async with self._http.stream("GET", url) as response:
                    problem = download_problem(response)
                    done = 0
                    with path.open("wb") as file:
                        async for chunk in response.aiter_bytes():
                            await asyncio.to_thread(file.write, chunk)
                            done += len(chunk)
                            if progress is not None:
                                progress(done, size_bytes)
                if problem is None and (size_bytes is None or done == size_bytes):
                    return
                problem = problem or f"{done:,} of {size_bytes:,} bytes came"
            except httpx2.TransportError as error:
                problem = type(error).__name__
            if attempt >= self._wire.max_retries:
                raise DownloadFailed(f"the file could not be fetched: {problem}")
            attempt += 1
            await asyncio.sleep(self.poll_seconds)

    async def close(self) -> None:
        """Let go of the connections."""
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
