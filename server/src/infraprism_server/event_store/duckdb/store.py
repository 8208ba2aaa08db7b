"""The DuckDB event store: what the contract asks, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from infraprism_server.clock import Clock
from infraprism_server.event_store.contract import (
    CostChange,
    EntityPage,
    EntityQuery,
    EntityTotals,
    Event,
    EventFilter,
    EventPage,
    ExportFormat,
    Outcome,
    Position,
    StoreStatus,
    UnpricedModel,
    UsagePage,
    UsageQuery,
)
from infraprism_server.event_store.duckdb import (
    deleting,
    entities,
    events,
    export,
    hourly,
    rollup,
    usage,
)
from infraprism_server.event_store.duckdb.compaction import Rewriting
from infraprism_server.event_store.duckdb.database import Database, startup_error
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.lasting import LastingAppender, find_unused
from infraprism_server.event_store.duckdb.long_reads import TIMEOUT_SECONDS, LongReads
from infraprism_server.event_store.duckdb.recent_ids import RecentIds
from infraprism_server.event_store.duckdb.writer import Writer
from infraprism_server.event_store.hourly_costs import HourlyCosts
from infraprism_server.event_store.lasting import BackedUp, Compacted, Tell
from infraprism_server.event_store.listening import CommitListener

MAX_WAITING_EVENTS: Final = 100_000


def open_event_store(
    folder: Path,
    *,
    instance_id: str,
    clock: Clock,
    memory_limit_mb: int | None = None,
    threads: int | None = None,
    max_waiting_events: int = MAX_WAITING_EVENTS,
    accept_loss: bool = False,
    long_reads: int | None = None,
    read_timeout_seconds: float = TIMEOUT_SECONDS,
) -> DuckDBEventStore:
    """Open `events.duckdb` in a folder that exists, making the file when there is none.

    memory_limit_mb: what DuckDB may use, by default a quarter of the machine and at most 1,024.
    threads: by default one per processor. accept_loss: open what is left when acknowledged events
    are missing, which is refused otherwise. long_reads: how many scans run at once, by default one
    for every two processors. read_timeout_seconds: how long any read may take.

    Raises StartupError with one line that says what to do.
    """
    database = Database(
        folder,
        instance_id=instance_id,
        memory_limit_mb=memory_limit_mb,
        threads=threads,
        accept_loss=accept_loss,
        long_reads=LongReads(long_reads),
        read_timeout_seconds=read_timeout_seconds,
    )
    return DuckDBEventStore(
        database, clock=clock, max_waiting_events=max_waiting_events, folding=Folding()
    )


class DuckDBEventStore:
    """An event_store.contract.EventStore over one DuckDB file."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        max_waiting_events: int,
        folding: Folding,
        dictionaries: Dictionaries | None = None,
        recent: RecentIds | None = None,
        slices: deleting.Slicing | None = None,
        pace: hourly.Pace | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._appender = LastingAppender(database, dictionaries or Dictionaries(), folding, recent)
        try:
            self._appender.load()
        except duckdb.Error as error:
            database.close()
            raise startup_error(error) from error
        except BaseException:
            database.close()
            raise
        self._writer = Writer(database, self._appender, max_waiting_events=max_waiting_events)
        self._slicing = slices or deleting.Slicing()
        self._pace = pace or hourly.Pace()
        self._rewriting = Rewriting(database, self._appender, self._writer)
        self._closed = False

    def append(self, account: int, events: Sequence[Event]) -> Future[list[Outcome]]:
        """Store a batch; one outcome per event when it is durable and visible."""
        return self._writer.append(account, events)

    def bulk_append(self, account: int, table: pa.Table) -> Future[int]:
        """Load a table of bulk.BULK_SCHEMA whose ids are known to be new (see bulk.insert)."""
        return self._writer.submit(lambda: self._appender.bulk_append(account, table))

    def reprice(self, account: int, changes: Sequence[CostChange]) -> Future[int]:
        """Give stored events new costs, atomically; how many differed from what was stored."""
        return self._writer.submit(lambda: self._appender.reprice(account, changes))

    def listen(self, listener: CommitListener) -> None:
        """Tell `listener` of every commit from now on, on the writer's thread."""
        self._appender.listeners += (listener,)

    def remember_entities(self, account: int, entities: Iterable[tuple[str, str]]) -> Future[None]:
        """Make (type, id) pairs known."""
        names = list(entities)
        return self._writer.submit(lambda: self._appender.remember(account, names))

    def find_event(self, account: int, event_id: str) -> Event | None:
        """The event with this id, or None."""
        return events.find_event(self._database, account, event_id)

    def list_events(
        self, where: EventFilter, *, limit: int, offset: int = 0, after: Position | None = None
    ) -> EventPage:
        """A page of events, newest first."""
        return events.list_events(self._database, where, limit=limit, offset=offset, after=after)

    def scan_events(
        self, where: EventFilter, *, limit: int, after: Position | None = None
    ) -> list[Event]:
        """Events oldest first."""
        return events.scan_events(self._database, where, limit=limit, after=after)

    def find_entity(self, account: int, entity_type: str, entity_id: str) -> EntityTotals | None:
        """One entity with its sums of all time, or None."""
        return entities.find_entity(self._database, account, entity_type, entity_id)

    def list_entities(self, query: EntityQuery) -> EntityPage:
        """A page of entities."""
        return entities.list_entities(self._database, query)

    def usage(self, query: UsageQuery) -> UsagePage:
        """Sums by bucket and group."""
        return usage.usage(self._database, query)

    def hourly_costs(
        self,
        account: int,
        start_us: int,
        end_us: int,
        *,
        at_least_pico: int = 0,
        page: int = 0,
        entities: int = 8_192,
    ) -> HourlyCosts:
        """Columns of costs by entity and hour, of a page of entities."""
        return hourly.hourly_costs(
            self._database,
            account,
            start_us,
            end_us,
            at_least_pico=at_least_pico,
            page=page,
            entities=entities,
            pace=self._pace,
        )

    def usage_between_commits(self, query: UsageQuery, mark: Callable[[], None]) -> UsagePage:
        """Sums of a snapshot that begins on the writer's thread, where `mark` is called."""

        def begin(cursor: duckdb.DuckDBPyConnection) -> None:
            # A transaction's snapshot is that of its first read; the reader waits meanwhile.
            rollup.watermark(cursor)
            mark()

        return usage.usage(
            self._database,
            query,
            lambda cursor: self._writer.submit(lambda: begin(cursor)).result(),
        )

    def find_extent(self, account: int) -> tuple[int, int] | None:
        """The timestamps of the oldest and the newest event."""
        return usage.find_extent(self._database, account)

    def list_unpriced(self, account: int) -> list[UnpricedModel]:
        """Models with unpriced events, most events first."""
        return usage.list_unpriced(self._database, account)

    def export(
        self,
        where: EventFilter,
        file_format: ExportFormat,
        path: Path,
        progress: Callable[[float], None],
    ) -> int:
        """Write every matching event to a new file, by DuckDB's own COPY."""
        return export.export(self._database, where, file_format, path, progress)

    def delete_events(self, where: EventFilter, tell: Tell) -> int:
        """Delete every matching event, a slice of a day at a time."""
        return self._by_slices(where, tell, self._appender.delete)

    def strip_events(self, where: EventFilter, tell: Tell) -> int:
        """Take tags and session ids from every matching event."""
        return self._by_slices(where, tell, self._appender.strip)

    def _by_slices(
        self, where: EventFilter, tell: Tell, work: Callable[[EventFilter, deleting.Slice], int]
    ) -> int:
        parts = deleting.plan(self._database, where, self._slicing)
        total = max(1, sum(part.events for part in parts))
        changed = planned = 0
        for part in parts:
            began = time.monotonic()
            changed += self._writer.submit(partial(work, where, part)).result()
            planned += part.events
            tell(planned / total)
            time.sleep(min(1.0, self._slicing.rest * (time.monotonic() - began)))
        return changed

    def forget_names(self, account: int, keep: Iterable[tuple[str, str]]) -> int:
        """Drop entities and tag sets that no event has."""
        kept, forgotten = set(keep), 0
        while True:
            with self._database.snapshot(timed=False) as cursor:
                unused = find_unused(cursor, account, kept)
            forgotten += self._writer.submit(
                partial(self._appender.forget, account, unused)
            ).result()
            if not unused.is_full:
                return forgotten

    def rename_entity(
        self, account: int, entity_type: str, entity_id: str, new_id: str
    ) -> Future[bool]:
        """Call an entity otherwise."""
        return self._writer.submit(
            partial(self._appender.rename, account, entity_type, entity_id, new_id)
        )

    def compact(self, tell: Tell) -> Compacted:
        """Write the file anew beside itself, and take that one."""
        return self._rewriting.compact(tell)

    def back_up(self, folder: Path, tell: Tell) -> BackedUp:
        """Write what is stored now to `events.duckdb` in another folder."""
        return self._rewriting.back_up(folder, tell)

    def status(self) -> StoreStatus:
        """From memory, and the sizes of two files: cheap."""
        problem = "the event store is closed" if self._closed else self._writer.problem
        return StoreStatus(
            engine="duckdb",
            engine_version=duckdb.__version__,
            instance_id=self._database.instance_id,
            schema_version=self._database.schema_version,
            events=self._appender.events,
            bytes_on_disk=self._database.bytes_on_disk(),
            waiting_events=self._writer.waiting_events,
            healthy=problem is None,
            problem=problem,
        )

    def close(self, timeout_seconds: float) -> None:
        """Finish what was handed over, then release the file."""
        self._writer.close(timeout_seconds)
        self._closed = True
        self._database.close()
