"""Writing the store anew into another file, beside ingest: what backups and compactions share.

Events are copied in the order of their commits, some hundred thousand at a time, each part a
snapshot of its own, so that nothing waits for it. That is exact because an event that was stored
does not change: but for what the number `changes` counts (deletions, new prices, other names), and
then it begins anew. Sums are merged on their way. How far it is stands in the new file itself: a
copy that was killed goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from infraprism_server.errors import Unavailable
from infraprism_server.event_store.duckdb import schema
from infraprism_server.event_store.duckdb.commit_record import sync_folder
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.rollup import watermark
from infraprism_server.event_store.duckdb.sums import ROLLUP_SUMS
from infraprism_server.event_store.lasting import Tell

PART_EVENTS: Final = 200_000
"""Copied at once: about 0.2 s of two cores, while commits go on."""
MOST_BEGINNINGS: Final = 5
_NAME: Final = "anew"
"""What the new file is called while it is attached."""
_CHECKED_COLUMNS: Final = (
    "count(*), sum(cost_pico), sum(input_tokens), sum(output_tokens),"
    " bit_xor(hash(account, id, ts, model_code, entity_code, tag_code, cost_pico))"
)

DICTIONARIES: Final = ("models", "entities", "tag_sets")
WITHOUT_TAG_SUMS: Final = "accounts_without_tag_sums"
ROLLUPS: Final = {
    "rollup_entity_day": (
        "account, day, entity_code, model_code",
        "min(first_us), max(last_us), ",
        "account, day, entity_code, model_code",
    ),
    "rollup_quarter": ("account, slot, model_code", "", "account, slot, model_code"),
    "rollup_entity": (
        "account, entity_code",
        "min(first_us), max(last_us), ",
        "account, entity_code",
    ),
    "rollup_tag_day": (
        "account, day, tag_code, model_code",
        "",
        "account, day, tag_code, model_code",
    ),
}
"""The cell of each, what it has beside sums, and its order."""

SESSION_DAYS: Final = "session_days"
_SESSION_DAYS: Final = f"""INSERT INTO {_NAME}.{SESSION_DAYS}
    SELECT account, session_hash, min(first_day) AS first, max(last_day)
    FROM {SESSION_DAYS} s JOIN (
        SELECT account, min(day) AS oldest FROM rollup_entity_day GROUP BY account
    ) USING (account) WHERE last_day >= oldest
    GROUP BY account, session_hash ORDER BY account, first"""  # noqa: S608


class ChangedError(Exception):
    """What was copied has changed since: begin anew."""


class Copy:
    """One copy into `target`, which ends in a suffix of its own until it is whole."""

    def __init__(self, database: Database, target: Path, *, part_events: int = PART_EVENTS) -> None:
        self._database = database
        self._target = target
        self._part_events = part_events
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self.copied_to = 0
        self.rolled = False

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The new file, as far as an earlier attempt came; made when there is none of use."""
        if not self._resumable():
            self.remove()
            self._make()
        with self._database.working() as cursor:
            cursor.execute(f"ATTACH '{_quoted(self._target)}' AS {_NAME}")
            self._read_progress(cursor)
        try:
            yield
        finally:
            self.detach()

    def detach(self) -> None:
        """Let go of the new file, everything of it in one place."""
        with self._database.working() as cursor:
            attached = cursor.execute(
                "SELECT count(*) FROM duckdb_databases() WHERE database_name = ?", [_NAME]
            ).fetchall()
            if attached != [(0,)]:
                cursor.execute(f"DETACH {_NAME}")

    def remove(self) -> None:
        """Remove the new file and its log."""
        for path in (self._target, _log_of(self._target)):
            path.unlink(missing_ok=True)

    def copy_events(self, upto: Callable[[], int], tell: Tell, *, total: int) -> None:
        """Copy commits until as far as `upto` says, asked before every part. ChangedError."""
        step = max(1, self._part_events * max(1, upto()) // max(1, total))
        done = self._count()
        while (end := upto()) > self.copied_to:
            with self._database.long_reads.patient_turn(), self._transaction() as cursor:
                step, last = self._next_end(cursor, step, end)
                done += copy_commits(cursor, self.copied_to, last)
                self._write_progress(cursor, last)
            self.copied_to = last
            tell(min(1.0, done / max(1, total)))

    def copy_sums(self, tell: Tell, done: float) -> int:
        """Copy the dictionaries and the sums of one moment; the last commit of it. ChangedError."""
        with self._database.long_reads.patient_turn(), self._transaction() as cursor:
            for table in (*DICTIONARIES, WITHOUT_TAG_SUMS):
                cursor.execute(f"INSERT INTO {_NAME}.{table} SELECT * FROM {table}")  # noqa: S608
            for table, (cell, between, order) in ROLLUPS.items():
                cursor.execute(
                    f"INSERT INTO {_NAME}.{table} SELECT {cell}, true, {between}{ROLLUP_SUMS}"  # noqa: S608
                    f" FROM {table} GROUP BY {cell} HAVING sum(events) > 0 ORDER BY {order}"
                )
            cursor.execute(_SESSION_DAYS)
            covered = watermark(cursor)
            cursor.execute(f"UPDATE {_NAME}.rollup_state SET watermark = ?", [covered])  # noqa: S608
            last = last_commit(cursor)
            cursor.execute(f"UPDATE {_NAME}.copying SET rolled = ?", [last])  # noqa: S608
        self.rolled = True
        tell(done)
        return last

    def compare(self) -> None:
        """Every event that was copied is there as it is in the store. Unavailable if not."""
        with self._database.long_reads.patient_turn(), self._transaction() as cursor:
            both = cursor.execute(
                f"SELECT {_CHECKED_COLUMNS} FROM events WHERE commit_no <= ?"  # noqa: S608
                f" UNION ALL SELECT {_CHECKED_COLUMNS} FROM {_NAME}.events",
                [self.copied_to],
            ).fetchall()
        if both[0] != both[1]:
            raise Unavailable("a copy of the event store is not what was copied; it is made anew")

    def check_unchanged(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """ChangedError when what was copied is not what is stored any more."""
        ((changes,),) = cursor.execute(f"SELECT changes FROM {_NAME}.copying").fetchall()  # noqa: S608
        if schema.read_number(cursor, schema.CHANGES) != changes:
            raise ChangedError

    def check_count(self, cursor: duckdb.DuckDBPyConnection, events: int) -> None:
        """Unavailable when the copy has not so many events."""
        copied = count_copied(cursor)
        if copied != events:
            raise Unavailable(f"{copied} of {events} events were copied")

    def finish(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Nothing is to be copied any more: what remains is a store like any other."""
        cursor.execute(f"DROP TABLE {_NAME}.copying")
        cursor.execute(f"DELETE FROM {_NAME}.meta WHERE name = '{schema.COMMIT_NO}'")  # noqa: S608
        cursor.execute(
            f"INSERT INTO {_NAME}.meta VALUES (?, ?)",  # noqa: S608
            [schema.COMMIT_NO, str(self.copied_to)],
        )

    def close_whole(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Move its log into the new file, let go of it, and sync it."""
        cursor.execute(f"CHECKPOINT {_NAME}")
        cursor.execute(f"DETACH {_NAME}")
        if _log_of(self._target).exists():
            raise Unavailable("the log of a copy of the event store could not be moved into it")
        descriptor = os.open(self._target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(self._target.parent)

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Reads one snapshot of the store, writes to the copy. ChangedError when it is too late."""
        with self._database.working() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                self.check_unchanged(cursor)
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                roll_back(cursor)
                raise

    def _next_end(self, cursor: duckdb.DuckDBPyConnection, step: int, end: int) -> tuple[int, int]:
        """How many commits make a part, and the last one of the next part."""
        while True:
            last = min(end, self.copied_to + step)
            ((events,),) = cursor.execute(
                "SELECT count(*) FROM events WHERE commit_no > ? AND commit_no <= ?",
                [self.copied_to, last],
            ).fetchall()
            if events <= 2 * self._part_events or step == 1:
                break
            step = max(1, step // 4)
        return (2 * step if events < self._part_events // 2 else step), last

    def _make(self) -> None:
        made = duckdb.connect(str(self._target))
        try:
            schema.prepare(
                made,
                self._target,
                instance_id=self._database.instance_id,
                steps=self._database.steps,
            )
            with self._database.snapshot(timed=False) as cursor:
                changes = schema.read_number(cursor, schema.CHANGES)
            # rolled: the last commit of the moment that the sums are of; null: they are not there.
            made.execute(
                "CREATE TABLE copying AS SELECT ?::BIGINT AS changes, 0::BIGINT AS copied_to,"
                " NULL::BIGINT AS rolled",
                [changes],
            )
            schema.write_number(made, schema.CHANGES, changes)
        finally:
            made.close()

    def _resumable(self) -> bool:
        if not self._target.exists():
            return False
        try:
            with duckdb.connect(str(self._target)) as left:
                ((changes,),) = left.execute("SELECT changes FROM copying").fetchall()
                ((version,),) = left.execute(
                    "SELECT value FROM meta WHERE name = 'schema_version'"
                ).fetchall()
        except (duckdb.Error, ValueError):
            return False
        with self._database.snapshot(timed=False) as cursor:
            now = schema.read_number(cursor, schema.CHANGES)
        return bool(changes == now and int(version) == self._database.schema_version)

    def _read_progress(self, cursor: duckdb.DuckDBPyConnection) -> None:
        ((copied_to, rolled),) = cursor.execute(
            f"SELECT copied_to, rolled FROM {_NAME}.copying"  # noqa: S608
        ).fetchall()
        self.copied_to, self.rolled = copied_to, rolled is not None

    def _write_progress(self, cursor: duckdb.DuckDBPyConnection, copied_to: int) -> None:
        cursor.execute(f"UPDATE {_NAME}.copying SET copied_to = ?", [copied_to])  # noqa: S608

    def _count(self) -> int:
        with self._database.working() as cursor:
            return count_copied(cursor)

    def rolled_at(self) -> int:
        """The last commit of the moment that the sums are of."""
        with self._database.working() as cursor:
            ((rolled,),) = cursor.execute(f"SELECT rolled FROM {_NAME}.copying").fetchall()  # noqa: S608
        return int(rolled)


def copy_commits(cursor: duckdb.DuckDBPyConnection, after: int, upto: int) -> int:
    """Copy the events of some commits, in their order; how many."""
    ((events,),) = cursor.execute(
        f"INSERT INTO {_NAME}.events SELECT * FROM events"  # noqa: S608
        " WHERE commit_no > ? AND commit_no <= ?",
        [after, upto],
    ).fetchall()
    return int(events)


def copy_new_names(cursor: duckdb.DuckDBPyConnection) -> None:
    """What the dictionaries have more since they were copied: codes only grow."""
    for table in DICTIONARIES:
        cursor.execute(
            f"INSERT INTO {_NAME}.{table} SELECT * FROM {table}"  # noqa: S608
            f" WHERE code > (SELECT coalesce(max(code), 0) FROM {_NAME}.{table})"
        )


def count_copied(cursor: duckdb.DuckDBPyConnection) -> int:
    """How many events the copy has."""
    ((events,),) = cursor.execute(f"SELECT count(*) FROM {_NAME}.events").fetchall()  # noqa: S608
    return int(events)


def last_commit(cursor: duckdb.DuckDBPyConnection) -> int:
    """The number of the newest commit in the cursor's snapshot."""
    ((last,),) = cursor.execute(
        "SELECT greatest(coalesce(max(commit_no), 0), (SELECT watermark FROM rollup_state))"
        " FROM events"
    ).fetchall()
    return int(last)


def roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """End a transaction that failed."""
    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # after a failed commit there is no transaction left


def _log_of(file: Path) -> Path:
    return file.with_name(file.name + ".wal")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
