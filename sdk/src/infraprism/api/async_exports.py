"""Made by `python -m sdk.make_async`: the awaited twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from infraprism.api.async_resources import PAGE
from infraprism.api.errors import ExportFailed, ExportGone
from infraprism.api.fields import ExportFilters, ExportFormat, Moment
from infraprism.api.progress import Progress, check_time, deadline_after
from infraprism.api.requests import deletion, listed, one
from infraprism.api.types import ExportState, Page

if TYPE_CHECKING:
    from infraprism.api.async_client import AsyncClient


class AsyncExports:
    """Files of the account's calls."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create(
        self,
        start_date: Moment,
        end_date: Moment,
        *,
        format: ExportFormat = "csv",
        **filters: Unpack[ExportFilters],
    ) -> AsyncExport:
        """Begin an export; `.wait().download(path)` is its file."""
        body = {"start_date": start_date, "end_date": end_date, "format": format, **filters}
        state = await self._client.send(one("POST", "/exports", ExportState, body=body))
        return AsyncExport(self._client, state)

    async def list(self, *, limit: int = 100, offset: int = 0) -> Page[ExportState]:
        """One page, newest first."""
        return await self._client.send(
            listed("/exports", ExportState, query={"limit": limit, "offset": offset})
        )

    def iterate(self, *, page_size: int = PAGE) -> AsyncIterator[ExportState]:
        """All of them; pages are fetched as they are needed."""
        return self._client.pages(listed("/exports", ExportState, query={"limit": page_size}))

    async def get(self, export_id: str) -> AsyncExport:
        """One export, as it is now."""
        state = await self._client.send(one("GET", "/exports/{export_id}", ExportState, export_id))
        return AsyncExport(self._client, state)

    async def delete(self, export_id: str) -> None:
        """Cancel it, and remove its file."""
        await self._client.send(deletion("/exports/{export_id}", export_id))


class AsyncExport:
    """One export; `state` is what the server last said of it."""

    def __init__(self, client: AsyncClient, state: ExportState) -> None:
        self._client = client
        self.state = state

    @property
    def id(self) -> str:
        """What it is known by."""
        return self.state.id

    async def refresh(self) -> AsyncExport:
        """Ask how far it is."""
        self.state = await self._client.send(
            one("GET", "/exports/{export_id}", ExportState, self.id)
        )
        return self

    async def wait(
        self, *, timeout_seconds: float | None = None, progress: Progress | None = None
    ) -> AsyncExport:
        """Until the file is there. ExportFailed says why there is none, WaitTimedOut gives up.

        `progress` is told rows, such as `infraprism.api.progress.bar("export")`.
        """
        deadline = deadline_after(timeout_seconds)
        while True:
            if progress is not None:
                progress(self.state.rows_written, self.state.rows_total or None)
            if self.state.status == "failed":
                raise ExportFailed(f"export {self.id} failed: {self.state.error}")
            if self.state.status == "completed":
                return self
            check_time(deadline, f"export {self.id}")
            await asyncio.sleep(self._client.poll_seconds)
            await self.refresh()

    async def download(self, path: str | Path, *, progress: Progress | None = None) -> Path:
        """Its file, whole or not at all; `progress` is told bytes. Waits for the export first.

        ExportGone when the link has expired: make another export.
        """
        await self.wait()
        target = Path(path)
        partial = target.with_name(f"{target.name}.partial")
        if self.state.download_url is None:
            raise ExportGone(f"the file of export {self.id} is no longer kept")
        try:
            await self._client.fetch(
                self.state.download_url, partial, self.state.size_bytes, progress
            )
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    async def delete(self) -> None:
        """Cancel it, and remove its file."""
        await self._client.send(deletion("/exports/{export_id}", self.id))
