"""What an event store is: the one contract that every engine's package fulfils.

Shapes only, no engine. The conformance suite in contract_tests/event_store states in tests what
the docstrings here say; an implementation is finished when it passes.

Units: instants are integer microseconds UTC (see clock.py), money is integer pico-dollars (see
money.py), an account is its number in the control store. Every method says whose data it reads:
the account comes first, and nothing of another account is ever seen or changed.

All methods are synchronous and may be called from any thread; `append` and the other writes only
hand over and return a future. A read that starts after a write's future is done sees that write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from enum import IntEnum
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import msgspec

from infraprism_server.event_store.hourly_costs import HourlyCosts
from infraprism_server.event_store.lasting import LastsForYears
from infraprism_server.event_store.listening import TellsOfCommits
from infraprism_server.event_store.sums import Sums

CostSource: TypeAlias = Literal["computed", "reported", "unpriced"]
EntitySort: TypeAlias = Literal[
    "total_cost", "total_events", "first_seen", "last_seen", "entity_id"
]
ExportFormat: TypeAlias = Literal["csv", "json", "parquet"]
"""json is one object a line."""
GroupField: TypeAlias = Literal[
    "model",
    "provider",
    "entity_type",
    "entity_id",
    "session_id",
    "service_tier",
    "success",
]


class Event(msgspec.Struct, frozen=True, gc=False):
    """One LLM call as it is stored. Token totals are inclusive; the details are subsets.

    Name the fields when you make one; only ingest gives them by position, which takes a fifth of
    the time.
    """

    id: str
    timestamp_us: int
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    cache_write_1h_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    web_search_requests: int = 0
    service_tier: str = "standard"
    latency_ms: int | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    session_id: str | None = None
    tags: str | None = None
    """Canonical JSON text: an object of strings, keys sorted, no spaces. None: no tags."""
    success: bool = True
    error_type: str | None = None
    error_code: str | None = None
    cost_pico: int = 0
    cost_source: CostSource = "unpriced"
    computed_cost_pico: int | None = None
    """What the price book says beside a reported cost; None for the other two sources."""
    rate_id: int | None = None
    """The immutable row of rates that was used (control store, price_rates); None: none was."""


CONTENT_FIELDS = (
    "timestamp_us",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
    "service_tier",
    "latency_ms",
    "entity_type",
    "entity_id",
    "session_id",
    "tags",
    "success",
    "error_type",
    "error_code",
)
"""What the client sent. Two events with one id are the same call when these agree and both were
reported with the same cost or both were not reported at all (prices may have moved between)."""


class Outcome(IntEnum):
    """What became of one event of a batch."""

    ACCEPTED = 0
    DUPLICATE = 1
    """The id is stored, or stands earlier in the batch, with the same content."""
    CONFLICT = 2
    """The id is stored, or stands earlier in the batch, with other content; the first stays."""


class CostChange(msgspec.Struct, frozen=True, gc=False):
    """The new cost of one stored event, by a repricing."""

    event_id: str
    cost_pico: int
    cost_source: CostSource
    computed_cost_pico: int | None
    rate_id: int | None


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events of one account. None does not filter; every given field must match."""

    account: int
    start_us: int | None = None
    """Inclusive."""
    end_us: int | None = None
    """Exclusive."""
    entity_type: str | None = None
    entity_id: str | None = None
    model: str | None = None
    provider: str | None = None
    session_id: str | None = None
    success: bool | None = None
    cost_source: CostSource | None = None
    tags: tuple[tuple[str, str], ...] = ()
    """(key, value) pairs that the event's tags must all have."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A place between two events of a newest-first list: right after this event."""

    timestamp_us: int
    key: bytes
    """The 16 bytes of ids.event_key; among equal timestamps the higher key comes first."""


class EventPage(msgspec.Struct, frozen=True):
    """One page of events, newest first (timestamp, then key, both descending)."""

    events: list[Event]
    total: int
    """How many events match the filter in all, exactly, whatever page was asked for."""
    next_position: Position | None
    """Where the next page starts; None when this page reached the end."""


class EntityTotals(msgspec.Struct, frozen=True, kw_only=True):
    """One entity and its sums over the range asked for; first and last seen are of all time."""

    entity_type: str
    entity_id: str
    first_seen_us: int | None
    last_seen_us: int | None
    sums: Sums


class EntityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entities of one account, in which order. A range restricts the sums alone."""

    account: int
    entity_type: str | None = None
    id_contains: str | None = None
    """Only entities whose id has this text in it, whatever its case, and those in `named`."""
    named: tuple[tuple[str, str], ...] = ()
    """(type, id) of entities that `id_contains` lets through too: their names matched."""
    start_us: int | None = None
    end_us: int | None = None
    sort: EntitySort = "total_cost"
    descending: bool = True
    """Ties are broken by entity_type, then entity_id, ascending; unseen entities come last,
    whatever the order."""
    limit: int = 100
    offset: int = 0


class EntityPage(msgspec.Struct, frozen=True):
    entities: list[EntityTotals]
    total: int


class TagKey(msgspec.Struct, frozen=True):
    """Group by the value of one tag; events without it are in the group None."""

    key: str


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Sums by group and by bucket of time.

    `bounds_us` are the ascending edges of adjacent buckets: bucket i is [bounds[i], bounds[i+1]).
    Events outside the edges are not counted. Two edges are one bucket over the whole range. The
    filter's own start and end, where given, restrict further. Time zones are the caller's affair:
    the edges are instants already, and the buckets need not be of one length (DST, months).
    """

    filter: EventFilter
    bounds_us: tuple[int, ...]
    group_by: tuple[GroupField | TagKey, ...] = ()
    top: int | None = None
    """Keep the groups that cost most over the whole range; the rest is one `other` group."""
    limit: int = 100
    offset: int = 0
    only: frozenset[str] = frozenset()
    """The sums that are wanted, by their names; the others but the cost are 0. Empty: all."""


GroupValue: TypeAlias = str | bool | None


class UsageRow(msgspec.Struct, frozen=True):
    bucket: int
    """Index into the bounds."""
    group: tuple[GroupValue, ...] | None
    """One value per group_by field, in its order; None for the `other` row; () without groups."""
    sums: Sums


class UsagePage(msgspec.Struct, frozen=True):
    """Rows with events, by bucket, then cost descending, then group; `other` ends its bucket."""

    rows: list[UsageRow]
    total: int
    """How many rows there are in all."""
    totals: Sums
    """Over every event the query covers, whatever page was asked for."""


class UnpricedModel(msgspec.Struct, frozen=True):
    """A provider's model that some events of an account could not be priced for."""

    provider: str
    model: str
    events: int
    input_tokens: int
    output_tokens: int
    first_seen_us: int
    last_seen_us: int


class StoreStatus(msgspec.Struct, frozen=True):
    """What doctor, /readyz and /metrics tell of a store."""

    engine: str
    engine_version: str
    instance_id: str
    schema_version: int
    events: int
    bytes_on_disk: int
    waiting_events: int
    """Events handed over and not yet committed."""
    healthy: bool
    problem: str | None
    """One sentence when not healthy: what is wrong and what to do."""


class EventStore(TellsOfCommits, LastsForYears, Protocol):
    """An event store. Methods raise errors.Unavailable when they can not work now."""

    def append(self, account: int, events: Sequence[Event]) -> Future[list[Outcome]]:
        """Store a batch; the future answers one outcome per event, in order.

        When it is done, accepted events are durable (fsync) and visible to every later read. An id
        counts once per account, whatever else was appended, by whom, when and with whatever
        timestamp. A failure (full disk) fails the future with Unavailable and stores nothing of
        the batch. Raises Unavailable at once when too many events are waiting already.
        """
        ...

    def reprice(self, account: int, changes: Sequence[CostChange]) -> Future[int]:
        """Give stored events new costs, atomically; ids that are not stored are passed over.

        Answers how many events really changed. Sums follow in the same commit.
        """
        ...

    def remember_entities(self, account: int, entities: Iterable[tuple[str, str]]) -> Future[None]:
        """Make (type, id) pairs known; without events they are listed with zero sums."""
        ...

    def find_event(self, account: int, event_id: str) -> Event | None:
        """The event with this id, or None."""
        ...

    def list_events(
        self,
        where: EventFilter,
        *,
        limit: int,
        offset: int = 0,
        after: Position | None = None,
    ) -> EventPage:
        """A page of events, newest first, by offset or continuing right after a position."""
        ...

    def scan_events(
        self, where: EventFilter, *, limit: int, after: Position | None = None
    ) -> list[Event]:
        """Events oldest first, for jobs that walk all of them; no total is counted."""
        ...

    def find_entity(self, account: int, entity_type: str, entity_id: str) -> EntityTotals | None:
        """One entity with its sums of all time, or None when it was never seen nor remembered."""
        ...

    def list_entities(self, query: EntityQuery) -> EntityPage:
        """A page of entities."""
        ...

    def usage(self, query: UsageQuery) -> UsagePage:
        """Sums by bucket and group."""
        ...

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
        """Costs by clock hour of the entities that cost at least so much over the range, a page
        of them at a time. The range starts and ends on whole hours."""
        ...

    def find_extent(self, account: int) -> tuple[int, int] | None:
        """The timestamps of the account's oldest and newest event; None when it has none."""
        ...

    def list_unpriced(self, account: int) -> list[UnpricedModel]:
        """Models with unpriced events, most events first."""
        ...

    def export(
        self,
        where: EventFilter,
        file_format: ExportFormat,
        path: Path,
        progress: Callable[[float], None],
    ) -> int:
        """Write every matching event, of one consistent snapshot, to a new file; how many.

        One row an event, with the columns of export_columns.py; in csv, text that a spreadsheet
        would run as a formula is put behind an apostrophe. Memory does not grow with the rows,
        whose order is not promised. `progress` is called now and then, from another thread, with
        the part that is done (0 to 1); what it raises ends the export and is raised from here.
        The file may be there, unfinished, when this raises: the caller removes it.
        """
        ...

    def status(self) -> StoreStatus:
        """How the store is. Cheap: it may be asked every second."""
        ...

    def close(self, timeout_seconds: float) -> None:
        """Finish what was handed over, then release the files. Later calls raise Unavailable."""
        ...
