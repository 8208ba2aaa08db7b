"""The client of the REST API. `python -m sdk.make_async` makes the awaited twin of this."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar, Unpack

import httpx2

from infraprism.api.errors import ConnectionFailed, DownloadFailed
from infraprism.api.exports import Exports
from infraprism.api.fields import AccountChanges, UsageOptions
from infraprism.api.progress import Progress
from infraprism.api.requests import Request, following, listed, one
from infraprism.api.resources import PAGE, ApiKeys, Entities, Events, Prices
from infraprism.api.sending import Wire, download_problem, result_of
from infraprism.api.types import Account, Page, Usage, UsageRow
from infraprism.api.watch_resources import Anomalies, Limits, Sdk, Webhooks

T = TypeVar("T")


class Client:
    """The REST API, typed: `with Client() as client: client.me()`.

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
        self._http = httpx2.Client(timeout=timeout_seconds)
        self.poll_seconds = poll_seconds
        self.events = Events(self)
        self.entities = Entities(self)
        self.api_keys = ApiKeys(self)
        self.prices = Prices(self)
        self.exports = Exports(self)
        self.webhooks = Webhooks(self)
        self.limits = Limits(self)
        self.anomalies = Anomalies(self)
        self.sdk = Sdk(self)

    def me(self) -> Account:
        """The account whose key is used."""
        return self.send(one("GET", "/me", Account))

    def update_me(self, **changes: Unpack[AccountChanges]) -> Account:
        """Change name, company, time zone or retention of the account."""
        return self.send(one("PATCH", "/me", Account, body=dict(changes)))

    def usage(
        self, *, limit: int = 1000, offset: int = 0, **options: Unpack[UsageOptions]
    ) -> Usage:
        """Sums over the events that match, by interval and group: totals and a page of rows."""
        query = {**options, "limit": limit, "offset": offset}
        return self.send(one("GET", "/usage", Usage, query=query))

    def usage_rows(
        self, *, page_size: int = PAGE, **options: Unpack[UsageOptions]
    ) -> Iterator[UsageRow]:
        """All rows of such a report; pages are fetched as they are needed."""
        return self.pages(listed("/usage", UsageRow, query={**options, "limit": page_size}))

    def send(self, request: Request[T]) -> T:
        """Send a request; its result, or an APIError."""
        arguments = self._wire.arguments(request)
        attempt = 0
        while True:
            problem: Exception | None = None
            response: httpx2.Response | None = None
            try:
                response = self._http.request(**arguments)
            except httpx2.TransportError as error:
                problem = error
            wait = self._wire.wait_before(request, attempt, response, problem)
            if wait is None:
                break
            attempt += 1
            time.sleep(wait)
        if response is None:
            raise ConnectionFailed(f"no answer: {type(problem).__name__}") from problem
        return result_of(request, response, repeated=attempt > 0)

    def pages(self, request: Request[Page[T]]) -> Iterator[T]:
        """Every item of a list, page after page as they are needed."""
        upcoming: Request[Page[T]] | None = request
        while upcoming is not None:
            page = self.send(upcoming)
            for item in page.data:  # noqa: UP028 - the awaited twin has no `yield from`
                yield item
            upcoming = following(upcoming, page)

    def fetch(
        self, url: str, path: Path, size_bytes: int | None, progress: Progress | None
    ) -> None:
        """Write a file to `path`, by its link: without a key, which is nobody else's to see."""
        attempt = 0
        while True:
            try:
                with self._http.stream("GET", url) as response:
                    problem = download_problem(response)
                    done = 0
                    with path.open("wb") as file:
                        for chunk in response.iter_bytes():
                            file.write(chunk)
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
            time.sleep(self.poll_seconds)

    def close(self) -> None:
        """Let go of the connections."""
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
