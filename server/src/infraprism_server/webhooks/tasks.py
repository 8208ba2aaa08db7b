"""The delivery worker: one thread with an event loop that sends what is due.

An endpoint has a few places at once, one that has been failing has a single place, and failing
ones together have half of all places: whoever hangs waits with his own kind.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import structlog

from infraprism_server.clock import MICROSECONDS_PER_SECOND, Clock
from infraprism_server.secret_box import SecretUnreadable
from infraprism_server.webhooks.attempt import Attempt
from infraprism_server.webhooks.connection import TIMEOUT_SECONDS, Resolver, Sender
from infraprism_server.webhooks.dispatch import Dispatch, Leased
from infraprism_server.webhooks.measures import DeliveryMeasures
from infraprism_server.webhooks.signature import headers_for

POLL_SECONDS: Final = 0.25
PLACES: Final = 256
FAILING_PLACES: Final = PLACES // 2
PLACES_PER_WEBHOOK: Final = 4
_STORE_THREADS: Final = 4

T = TypeVar("T")

log = structlog.get_logger(__name__)


class DeliveryWorker:
    """Sends deliveries until stopped."""

    def __init__(
        self,
        dispatch: Dispatch,
        clock: Clock,
        *,
        allow_private: bool,
        resolve: Resolver,
        measures: DeliveryMeasures | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._dispatch = dispatch
        self._clock = clock
        self._allow_private = allow_private
        self._resolve = resolve
        self._measures = measures
        self._timeout_seconds = timeout_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._thread = threading.Thread(target=self._run_thread, name="deliveries", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float) -> bool:
        """Give back what is under way and end. False when that took too long."""
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def run_due(self) -> int:
        """Deliver until nothing is due any more, in the calling thread; attempts made."""
        return asyncio.run(self._run(until_idle=True))

    def _run_thread(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._run(until_idle=False))
            except Exception:  # the store may be away for a while; the worker must outlive that
                log.exception("deliveries_not_reachable")
                self._stopping.wait(1.0)

    async def _run(self, *, until_idle: bool) -> int:
        sender = Sender(
            self._clock,
            allow_private=self._allow_private,
            resolve=self._resolve,
            timeout_seconds=self._timeout_seconds,
        )
        with ThreadPoolExecutor(_STORE_THREADS, thread_name_prefix="deliveries-store") as threads:
            under_way = _UnderWay(self._dispatch, sender, threads, self._clock, self._measures)
            try:
                while not self._stopping.is_set():
                    found = await under_way.take_more()
                    if until_idle and not found and not under_way.tasks:
                        break
                    if not found:
                        await under_way.wait(POLL_SECONDS)
            finally:
                await under_way.cut_off()
                await sender.close()
            return under_way.made


class _UnderWay:
    """The attempts of one event loop."""

    def __init__(
        self,
        dispatch: Dispatch,
        sender: Sender,
        threads: ThreadPoolExecutor,
        clock: Clock,
        measures: DeliveryMeasures | None,
    ) -> None:
        self.tasks: dict[asyncio.Task[None], Leased] = {}
        self.made = 0
        self._dispatch = dispatch
        self._sender = sender
        self._threads = threads
        self._clock = clock
        self._measures = measures

    async def take_more(self) -> bool:
        """Fan out and lease what there are places for; whether there was anything."""
        for task in [task for task in self.tasks if task.done()]:
            del self.tasks[task]
            task.result()  # the store failed: whoever runs this waits and begins anew
        told = await self._in_thread(self._dispatch.fan_out)
        free = PLACES - len(self.tasks)
        if free <= 0:
            return False
        places = Counter(leased.row.webhook for leased in self.tasks.values())
        failing = {leased.row.webhook for leased in self.tasks.values() if leased.failing}
        full = len([1 for leased in self.tasks.values() if leased.failing]) >= FAILING_PLACES
        busy = [
            webhook
            for webhook, count in places.items()
            if count >= PLACES_PER_WEBHOOK or webhook in failing
        ]
        leased = await self._in_thread(
            lambda: self._dispatch.lease(free, PLACES_PER_WEBHOOK, busy, skip_failing=full)
        )
        for each in leased:
            self.tasks[asyncio.create_task(self._deliver(each))] = each
        return bool(told or leased)

    async def wait(self, seconds: float) -> None:
        """Until an attempt ends, or that long."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def cut_off(self) -> None:
        """Cancel the attempts and give their deliveries back."""
        left = dict(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task, leased in left.items():
            if task.cancelled():
                await self._in_thread(partial(self._dispatch.give_back, leased))

    async def _deliver(self, leased: Leased) -> None:
        started_at_us = self._clock.now_us()
        began = time.monotonic()
        try:
            secrets = self._dispatch.secrets_of(leased)
        except SecretUnreadable as error:
            log.error("webhook_secret_unreadable", webhook=leased.row.webhook)  # noqa: TRY400
            attempt = Attempt(started_at_us=started_at_us, duration_ms=0, error=error.message)
        else:
            body = leased.row.body.encode()
            timestamp = started_at_us // MICROSECONDS_PER_SECOND
            headers = headers_for(secrets, leased.row.message, timestamp, body)
            attempt = await self._sender.post(leased.url, headers, body)
        self.made += 1
        if self._measures is not None:
            self._measures.attempted(attempt, time.monotonic() - began)
        # Shielded: what was answered is written down even when the worker ends just now.
        await asyncio.shield(self._in_thread(lambda: self._dispatch.record(leased, attempt)))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
