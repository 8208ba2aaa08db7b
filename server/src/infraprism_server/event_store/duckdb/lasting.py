"""What the writer's thread does to let go of events and of names: see the contract's lasting.py.

Each is one commit, counted as a change (appending.py), told to listeners, and noted in the record
of commits before it is made: a floor holds then whenever the process ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

import duckdb
import pyarrow as pa

from infraprism_server.errors import Conflict
from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.duckdb import deleting, schema
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.dictionaries import Dictionaries
from infraprism_server.event_store.duckdb.filters import entity_hash, find_entity_code, select
from infraprism_server.event_store.duckdb.folding import Folding
from infraprism_server.event_store.duckdb.recent_ids import RecentIds
from infraprism_server.event_store.duckdb.telling import TellingAppender

MOST_AT_ONCE: Final = 20_000
"""Names that one commit drops."""
MOST_REMEMBERED: Final = 1_000
"""Entities somebody spoke of lately: writing that down takes milliseconds."""


class LastingAppender(TellingAppender):
    """An appender that can also take away."""

    def __init__(
        self,
        database: Database,
        dictionaries: Dictionaries,
        folding: Folding,
        recent: RecentIds | None = None,
    ) -> None:
        super().__init__(database, dictionaries, folding, recent)
        self._remembered: deque[tuple[int, str, str]] = deque(maxlen=MOST_REMEMBERED)

    def remember(self, account: int, entities: Iterable[tuple[str, str]]) -> None:
        """Give codes to entities that may have no events; they are not forgotten right away."""
        names = list(entities)
        super().remember(account, names)
        self._remembered.extend((account, *name) for name in names)

    def delete(self, where: EventFilter, part: deleting.Slice) -> int:
        """Delete the events of a slice; how many there were."""
        with self._transaction() as connection:
            selection = select(connection, where)
            events = 0 if selection.nothing else deleting.count(connection, selection, part)
            if events:
                deleting.delete_slice(connection, selection, part, self._folding.watermark)
                self._count_change(connection)
                # The commits that were deleted must not be numbered again.
                schema.write_number(connection, schema.COMMIT_NO, self.commit_no)
                # Nobody knows whether it is stored until it has succeeded.
                self._uncertain += events
                self._note()
        if events:
            self._uncertain -= events
            self.events -= events
            self._folding.load(self._database.connection)
            self._note()
            self._tell(where.account, (), ())
        return events

    def strip(self, where: EventFilter, part: deleting.Slice) -> int:
        """Take tags and session ids from the events of a slice; how many had any."""
        with self._transaction() as connection:
            selection = select(connection, where)
            events = (
                0
                if selection.nothing
                else deleting.strip_slice(connection, selection, part, self._folding.watermark)
            )
            if events:
                self._count_change(connection)
        self._note()
        return events

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows if the last commit, which failed, is stored all the same."""
        return self._doubted or bool(self._uncertain)

    def changed_files(self) -> None:
        """The file is another one with the same events, commits and codes, and sums of its own."""
        self._folding.load(self._database.connection)
        self._note()

    def rename(self, account: int, entity_type: str, entity_id: str, new_id: str) -> bool:
        """Give an entity another id; all its events and sums follow, for they hold its code."""
        with self._transaction() as connection:
            code = find_entity_code(connection, account, entity_type, entity_id)
            if code is None:
                return False
            if find_entity_code(connection, account, entity_type, new_id) is not None:
                raise Conflict(f"There is an entity '{new_id}' already")
            connection.execute(
                "UPDATE entities SET entity_id = ?, text_hash = ? WHERE account = ? AND code = ?",
                [new_id, entity_hash(account, entity_type, new_id), account, code],
            )
            self._count_change(connection)
        self._dictionaries.forget([(account, entity_type, entity_id)], ())
        self._note()
        self._tell(account, (), ())
        return True

    def forget(self, account: int, candidates: Candidates) -> int:
        """Drop what is still without events of what was found so; how many entities those were."""
        if not candidates.entities and not candidates.tag_sets:
            return 0
        with self._transaction() as connection:
            # Somebody may have spoken of one since it was found; and has not written it down yet.
            spoken_of = {
                find_entity_code(connection, *name)
                for name in set(self._remembered)
                if name[0] == account
            }
            dropped = []
            for table, column, codes in (
                ("entities", "entity_code", set(candidates.entities) - spoken_of),
                ("tag_sets", "tag_code", candidates.tag_sets),
            ):
                unused = pa.table({"code": pa.array(list(codes), pa.int32())})
                dropped.append(
                    connection.execute(
                        # Only commits since they were found can have used them.
                        f"DELETE FROM {table} WHERE account = ?"  # noqa: S608
                        " AND code IN (SELECT code FROM unused) AND code NOT IN ("
                        f" SELECT {column} FROM events WHERE account = ? AND commit_no > ?"
                        f" AND {column} IS NOT NULL) RETURNING *",
                        [account, account, candidates.commit_no],
                    ).fetchall()
                )
                del unused
            if any(dropped):
                self._count_change(connection)
        names, tag_sets = dropped
        self._dictionaries.forget(
            [(account, row[3], row[4]) for row in names], [(account, row[2]) for row in tag_sets]
        )
        self._note()
        return len(names)


class Candidates:
    """Names that nothing used in one snapshot, and the last commit of it."""

    def __init__(
        self, commit_no: int, entities: Collection[int], tag_sets: Collection[int]
    ) -> None:
        self.commit_no = commit_no
        self.entities = entities
        self.tag_sets = tag_sets

    @property
    def is_full(self) -> bool:
        """Whether there may be more of them."""
        return MOST_AT_ONCE in (len(self.entities), len(self.tag_sets))


def find_unused(
    cursor: duckdb.DuckDBPyConnection, account: int, keep: Collection[tuple[str, str]]
) -> Candidates:
    """Up to MOST_AT_ONCE entities and tag sets of an account that no event has."""
    kept = pa.table(
        {
            "entity_type": pa.array([kind for kind, _ in keep], pa.string()),
            "entity_id": pa.array([name for _, name in keep], pa.string()),
        }
    )
    entities = cursor.execute(
        """SELECT code FROM entities n WHERE account = ?
        AND (entity_type, entity_id) NOT IN (SELECT (entity_type, entity_id) FROM kept)
        AND code NOT IN (SELECT entity_code FROM rollup_entity WHERE account = ?)
        AND code NOT IN (SELECT entity_code FROM events
            WHERE account = ? AND commit_no > (SELECT watermark FROM rollup_state)
            AND entity_code IS NOT NULL) LIMIT ?""",
        [account, account, account, MOST_AT_ONCE],
    ).fetchall()
    tag_sets = cursor.execute(
        """SELECT code FROM tag_sets WHERE account = ? AND code NOT IN (
        SELECT DISTINCT tag_code FROM events WHERE account = ? AND tag_code IS NOT NULL) LIMIT ?""",
        [account, account, MOST_AT_ONCE],
    ).fetchall()
    ((highest,),) = cursor.execute("SELECT max(commit_no) FROM events").fetchall()
    del kept
    return Candidates(highest or 0, [code for (code,) in entities], [code for (code,) in tag_sets])
