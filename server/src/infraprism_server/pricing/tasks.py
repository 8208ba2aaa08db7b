"""What pricing does in the background: repricing, and the list of unpriced models for the CLI."""

from __future__ import annotations

from typing import Final

import msgspec

from infraprism_server.background.worker import JobRun, Task
from infraprism_server.event_store.contract import (
    CostChange,
    Event,
    EventStore,
    Position,
    UnpricedModel,
)
from infraprism_server.pricing.repricing import (
    KIND,
    Counting,
    RepricingJob,
    RepricingProgress,
    Tally,
    change_of,
    is_counted,
    position_of,
)
from infraprism_server.pricing.service import PricingService

UNPRICED_KIND: Final = "unpriced_models"
CHUNK_EVENTS: Final = 2_000
"""Events priced again and handed to the writer at once: some milliseconds between two batches."""
_PAUSE_SECONDS: Final = 0.005
_WRITE_TIMEOUT_SECONDS: Final = 60.0
_MAX_UNPRICED_SHOWN: Final = 1_000


class UnpricedQuery(msgspec.Struct, frozen=True):
    """Nothing to ask for: the account is the job's."""


class UnpricedReport(msgspec.Struct, frozen=True):
    """The models with most unpriced events."""

    models: list[UnpricedModel]


def pricing_tasks(pricing: PricingService, events: EventStore) -> dict[str, Task]:
    """The tasks by kind, for the worker of the process that owns the stores."""

    def reprice(run: JobRun) -> msgspec.Struct:
        return _Repricing(run, pricing, events).finish()

    def unpriced(run: JobRun) -> msgspec.Struct:
        return UnpricedReport(events.list_unpriced(_account(run))[:_MAX_UNPRICED_SHOWN])

    return {KIND: reprice, UNPRICED_KIND: unpriced}


class _Repricing:
    """One attempt at a repricing, going on where the one before it stopped."""

    def __init__(self, run: JobRun, pricing: PricingService, events: EventStore) -> None:
        self._run = run
        self._pricing = pricing
        self._events = events
        self._account = _account(run)
        self._wanted = run.input(RepricingJob)
        self._progress = run.progress(RepricingProgress)
        self._counting = Counting(self._progress.tally)

    def finish(self) -> Tally:
        """Walk all events, oldest first, in chunks; answer the sums."""
        where = self._wanted.filter(self._account)
        if self._progress.total is None:
            self._progress.total = self._events.list_events(where, limit=1).total
        while True:
            chunk = self._events.scan_events(
                where, limit=CHUNK_EVENTS, after=self._progress.applied
            )
            if not chunk:
                break
            self._reprice(chunk)
            # Ingest shares the writer and the processor: it comes first.
            self._run.pause(_PAUSE_SECONDS)
        self._run.save(self._progress)
        return self._progress.tally

    def _reprice(self, chunk: list[Event]) -> None:
        changes = self._changes(chunk)
        after: Position = position_of(chunk[-1])
        self._progress.counted = after
        if changes and not self._wanted.dry_run:
            # Saved before it is applied: after a kill in between, the chunk is applied again,
            # which changes nothing twice, and is not counted again.
            self._run.save(self._progress)
            self._events.reprice(self._account, changes).result(_WRITE_TIMEOUT_SECONDS)
        self._progress.applied = after
        self._run.save(self._progress)

    def _changes(self, chunk: list[Event]) -> list[CostChange]:
        changes: list[CostChange] = []
        for event in chunk:
            change = None
            still_unpriced = False
            if event.cost_source != "reported":
                cost_pico, rate_id = self._pricing.quote(self._account, event)
                change = change_of(event, cost_pico, rate_id)
                still_unpriced = cost_pico is None and event.cost_source == "unpriced"
            if change is not None:
                changes.append(change)
            if not is_counted(event, self._progress):
                self._counting.add(event, change, still_unpriced=still_unpriced)
                self._progress.done += 1
        return changes


def _account(run: JobRun) -> int:
    if run.job.account is None:
        raise ValueError("this job needs an account")
    return run.job.account
