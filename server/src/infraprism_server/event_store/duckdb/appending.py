"""What the writer's thread does to the file: a group of appends, a repricing, a fold.

Each is one transaction. Nothing here knows of queues or futures (writer.py does).
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

import duckdb
import pyarrow as pa

from infraprism_server.event_store.contract import CostChange, Event, Outcome
from infraprism_server.event_store.duckdb import bulk, rows, schema
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.duplicates import (
    find_rowids,
    find_stored,
    outcome_beside,
)
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.recent_ids import RecentIds
from infraprism_server.event_store.duckdb.repricing import apply_changes
from infraprism_server.event_store.duckdb.rows import Part
from infraprism_server.ids import event_key


class Appender:
    """The state the writer keeps beside the file; `load` makes it anew from the file."""

    def __init__(
        self,
        database: Database,
        dictionaries: Dictionaries,
        folding: Folding,
        recent: RecentIds | None = None,
    ) -> None:
        self._database = database
        self._dictionaries = dictionaries
        self._folding = folding
        self._recent = recent or RecentIds()
        self._doubted = False
        self._uncertain = 0
        self.commit_no = 0
        self.events = 0

    def load(self) -> None:
        """Learn from the file what is in it."""
        connection = self._database.connection
        self._folding.load(connection)
        ((count, highest),) = connection.execute(
            "SELECT count(*), max(commit_no) FROM events"
        ).fetchall()
        self.events = count
        self._uncertain = 0
        self.commit_no = max(
            highest or 0,
            self._folding.watermark,
            schema.read_number(connection, schema.COMMIT_NO),
        )
        self._dictionaries.load(connection)
        self._recent.load(connection)
        self._doubted = False
        self._database.record.compare(self.commit_no, self.events)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._database.connection
        connection.execute("BEGIN TRANSACTION")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            self._dictionaries.undo()
            # After a failed commit there is no transaction left to roll back.
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        self._dictionaries.keep()

    def _note(self) -> None:
        """Promise what is stored: after this a commit may be acknowledged. OSError."""
        self._database.record.note(self.commit_no, self.events - self._uncertain)

    def _count_change(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Other than by an append: whoever copies the file learns that it changed behind them."""
        changes = schema.read_number(connection, schema.CHANGES)
        schema.write_number(connection, schema.CHANGES, changes + 1)

    def append(self, batches: Sequence[Part]) -> list[list[Outcome]]:
        """Store what is new of the batches, durably, and say what became of each event."""
        parts = _first_of_each(batches)
        if self._doubted:
            self._recent.load(self._database.connection)
        # Until this commit has succeeded nobody knows whether its events are stored: a log that
        # could not be synced may hold them all the same.
        self._doubted = True
        with self._transaction() as connection:
            stored = self._find_stored(connection, parts)
            fresh = _without(parts, stored)
            if fresh:
                columns = rows.build(connection, self._dictionaries, fresh, self.commit_no + 1)
                connection.execute("INSERT INTO events BY NAME SELECT * FROM columns")
                del columns
        self._doubted = False
        count = sum(len(part.keys) for part in fresh)
        if count:
            self.commit_no += 1
            self.events += count
            self._folding.appended(self.commit_no, count)
            for part in fresh:
                self._recent.stored(part.account, part.keys, part.texts)
        # Nothing new is noted too: it may be what a note that failed had left.
        self._note()
        if count == sum(len(batch.keys) for batch in batches):
            return [[Outcome.ACCEPTED] * len(batch.keys) for batch in batches]
        return _outcomes(batches, stored)

    def _find_stored(
        self, connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]
    ) -> dict[tuple[int, bytes], Event]:
        """What is stored with the ids of the parts, by account and key."""
        accounts: list[int] = []
        keys: list[bytes] = []
        texts: list[str | None] = []
        for part in parts:
            places = self._recent.unproved(part.account, part.keys, part.texts)
            accounts += [part.account] * len(places)
            keys += [part.keys[place] for place in places]
            texts += [part.texts[place] for place in places]
        return find_stored(connection, accounts, keys, texts) if keys else {}

    def remember(self, account: int, entities: Iterable[tuple[str, str]]) -> None:
        """Give codes to entities that may have no events."""
        names = {(account, entity_type, entity_id) for entity_type, entity_id in entities}
        if names:
            with self._transaction() as connection:
                self._dictionaries.entities(connection, names)
            self._note()

    def reprice(self, account: int, changes: Sequence[CostChange]) -> int:
        """Change costs, and the rollups by the difference. The last change of an id counts."""
        if not changes:
            return 0
        wanted = {event_key(change.event_id): change for change in changes}
        keys, texts = [key for key, _ in wanted], [text for _, text in wanted]
        with self._transaction() as connection:
            found = find_rowids(connection, [account] * len(keys), keys, texts)
            rowids = found.get(account, [])
            changed = apply_changes(connection, account, rowids, wanted, self._folding.watermark)
            if changed:
                self._count_change(connection)
        self._note()
        return changed

    def bulk_append(self, account: int, table: pa.Table) -> int:
        """Load a table of events whose ids are new; see bulk.py."""
        with self._transaction() as connection:
            bulk.insert(connection, self._dictionaries, account, table, self.commit_no + 1)
        for start in range(0, table.num_rows, bulk.ROWS_PER_COMMIT_NO):
            self.commit_no += 1
            self._folding.appended(
                self.commit_no, min(bulk.ROWS_PER_COMMIT_NO, table.num_rows - start)
            )
        self.events += table.num_rows
        self._recent.load(self._database.connection)
        self._note()
        return int(table.num_rows)

    def tidy_in(self, now: float) -> float | None:
        """Seconds until there is something to tidy; None: not before more is appended."""
        return self._folding.due_in(now)

    def tidy(self, now: float) -> bool:
        """Fold one chunk when it is due. Answers whether there was something to do."""
        if self._folding.due_in(now) != 0:
            return False
        connection = self._database.connection
        try:
            self._folding.fold_chunk(connection)
            self._folding.merge_if_loose(connection)
        except duckdb.Error:
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        return True


def _first_of_each(batches: Sequence[Part]) -> list[Part]:
    """The events whose id did not stand earlier in the group."""
    parts: list[Part] = []
    known: dict[int, set[bytes]] = {}
    for batch in batches:
        seen = known.setdefault(batch.account, set())
        keys = set(batch.keys)
        if len(keys) < len(batch.keys) or not seen.isdisjoint(keys):
            places = []
            for place, key in enumerate(batch.keys):
                if key not in seen:
                    seen.add(key)
                    places.append(place)
            if places:
                parts.append(batch.at(places))
        else:
            seen |= keys
            parts.append(batch)
    return parts


def _without(parts: Sequence[Part], stored: Container[tuple[int, bytes]]) -> list[Part]:
    """The events whose ids are not among the stored."""
    if not stored:
        return list(parts)
    rest: list[Part] = []
    for part in parts:
        places = [place for place, key in enumerate(part.keys) if (part.account, key) not in stored]
        if len(places) == len(part.keys):
            rest.append(part)
        elif places:
            rest.append(part.at(places))
    return rest


def _outcomes(
    batches: Sequence[Part], stored: Mapping[tuple[int, bytes], Event]
) -> list[list[Outcome]]:
    first = dict(stored)
    outcomes: list[list[Outcome]] = []
    for batch in batches:
        of_batch = []
        for event, key in zip(batch.events, batch.keys, strict=True):
            name = (batch.account, key)
            if name in first:
                of_batch.append(outcome_beside(first[name], event))
            else:
                first[name] = event
                of_batch.append(Outcome.ACCEPTED)
        outcomes.append(of_batch)
    return outcomes
