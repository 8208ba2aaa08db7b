"""The delivery worker: one thread with an event loop that sends what is due.

An endpoint that answers has a few places at once, a new, failing or hanging one a single place.
Those have places of their own: they wait with their own kind, however many there are.

What was answered and is not written down yet is sent once more when this process is killed. So few
are in their first milliseconds at once: a quick endpoint's answer is written down before the next
few are sent, which is no slower, since writing is what takes the time; a slow one soon makes room.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
PLACES: Final = 128
"""Attempts at endpoints that answer."""
WAITING_PLACES: Final = 256
"""Attempts at endpoints that are new or have been failing, or that let us wait just now."""
PLACES_PER_WEBHOOK: Final = 4
HANGS_AFTER_SECONDS: Final = 1.0
FRESH: Final = 2
"""Attempts sent a moment ago, or answered within it and not written down, of all endpoints."""
FRESH_SECONDS: Final = 0.02
LEASED_AHEAD: Final = 64
"""Deliveries that wait to be sent: their leases must not run out meanwhile."""
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


@dataclass(slots=True)
class _Sending:
    """An attempt under way, or about to be."""

    leased: Leased
    began: float = math.inf

    @property
    def is_sent(self) -> bool:
        return self.began < math.inf

    def waits(self) -> bool:
        """Whether it is one of those that may take long."""
        return not self.leased.answered or time.monotonic() - self.began >= HANGS_AFTER_SECONDS


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
        self.tasks: dict[asyncio.Task[None], _Sending] = {}
        self.made = 0
        self._dispatch = dispatch
        self._sender = sender
        self._threads = threads
        self._clock = clock
        self._measures = measures
        self._answered: list[tuple[Leased, Attempt]] = []
        self._one_writes = asyncio.Lock()
        self._fresh = asyncio.Semaphore(FRESH)
        self._writes: set[asyncio.Task[None]] = set()

    async def take_more(self) -> bool:
        """Fan out and lease what there are places for; whether there was anything."""
        for task in [task for task in self.tasks if task.done()]:
            del self.tasks[task]
        if not await self._in_thread(self._dispatch.any_due):
            return False
        told = await self._in_thread(self._dispatch.fan_out)
        waiting = [each for each in self.tasks.values() if each.waits()]
        ahead = LEASED_AHEAD - sum(1 for each in self.tasks.values() if not each.is_sent)
        slow = min(WAITING_PLACES - len(waiting), ahead)
        # Whatever waits: together there are never more than both kinds of places.
        quick = min(PLACES - (len(self.tasks) - len(waiting)), PLACES + slow, ahead)
        if quick <= 0 and slow <= 0:
            return bool(told)
        places = Counter(each.leased.row.webhook for each in self.tasks.values())
        hanging = {each.leased.row.webhook for each in waiting}
        busy = [
            webhook
            for webhook, count in places.items()
            if count >= PLACES_PER_WEBHOOK or webhook in hanging
        ]
        leased = await self._in_thread(
            lambda: self._dispatch.lease(max(quick, 0), max(slow, 0), PLACES_PER_WEBHOOK, busy)
        )
        for each in leased:
            sending = _Sending(each)
            self.tasks[asyncio.create_task(self._deliver(sending))] = sending
        return bool(told or leased)

    async def wait(self, seconds: float) -> None:
        """Until an attempt ends, or that long."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    async def cut_off(self) -> None:
        """Cancel the attempts and give their deliveries back; what was answered is written down."""
        left = dict(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.gather(*self._writes, return_exceptions=True)
        cut = [sending.leased for task, sending in left.items() if task.cancelled()]
        await self._in_thread(lambda: self._dispatch.give_back(cut))

    async def _deliver(self, sending: _Sending) -> None:
        async with self._fresh:
            sending.began = time.monotonic()
            attempt = asyncio.create_task(self._attempt(sending.leased))
            try:
                await asyncio.wait({attempt}, timeout=FRESH_SECONDS)
                if attempt.done():
                    await self._made(sending, attempt.result())
                    return
            except asyncio.CancelledError:
                attempt.cancel()
                raise
        await self._made(sending, await attempt)

    async def _made(self, sending: _Sending, attempt: Attempt) -> None:
        self.made += 1
        if self._measures is not None:
            self._measures.attempted(attempt, time.monotonic() - sending.began)
        self._answered.append((sending.leased, attempt))
        write = asyncio.create_task(self._write_down())
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        # Shielded: what was answered is written down even when the worker ends just now.
        await asyncio.shield(write)

    async def _write_down(self) -> None:
        """Whoever comes first writes for all that wait; a killed process loses little of it."""
        async with self._one_writes:
            made, self._answered = self._answered, []
            if made:
                await self._in_thread(lambda: self._dispatch.record(made))

    async def _attempt(self, leased: Leased) -> Attempt:
        started_at_us = self._clock.now_us()
        try:
            secrets = self._dispatch.secrets_of(leased)
            body = leased.row.body.encode()
            timestamp = started_at_us // MICROSECONDS_PER_SECOND
            headers = headers_for(secrets, leased.row.message, timestamp, body)
        except SecretUnreadable as error:
            log.error("webhook_secret_unreadable", webhook=leased.row.webhook)  # noqa: TRY400
            return Attempt(started_at_us=started_at_us, duration_ms=0, error=error.message)
        except Exception:  # what can not be sent has failed like any other, and holds up nobody
            log.exception("delivery_not_sent", delivery=leased.row.id)
            why = "it can not be signed and sent; the log has the details"
            return Attempt(started_at_us=started_at_us, duration_ms=0, error=why)
        return await self._sender.post(leased.url, headers, body)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
