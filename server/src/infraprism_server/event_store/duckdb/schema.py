"""The tables of an event file, and the ordered steps that bring an older file up to them.

Codes stand for what repeats: an event row holds integers for its model, entity and tags. Two tag
codes may hold the same text (a set seen again after it left the writer's memory), so readers
regroup by text; models and entities have one code each.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from infraprism_server.errors import StartupError

_log = logging.getLogger(__name__)

COMMIT_NO: Final = "commit_no"
"""Name of the number (see read_number) below which no commit is numbered, whatever was deleted."""
CHANGES: Final = "changes"
"""Name of the number that grows with every change of what was stored before."""

COST_SOURCES: Final = ("computed", "reported", "unpriced")
"""The column cost_source holds the place in this tuple."""

_SUMS_DDL = """
    events BIGINT NOT NULL, errors BIGINT NOT NULL, unpriced_events BIGINT NOT NULL,
    cost_pico HUGEINT NOT NULL, reported_cost_pico HUGEINT NOT NULL,
    input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL,
    cache_read_input_tokens BIGINT NOT NULL, cache_write_input_tokens BIGINT NOT NULL,
    cache_write_1h_input_tokens BIGINT NOT NULL, reasoning_output_tokens BIGINT NOT NULL,
    input_audio_tokens BIGINT NOT NULL, output_audio_tokens BIGINT NOT NULL,
    web_search_requests BIGINT NOT NULL, latency_ms BIGINT NOT NULL, latency_events BIGINT NOT NULL
"""

_VERSION_1 = (
    # id: the 16 bytes of ids.event_key; service_tier: null is `standard`; commit_no grows with
    # every append, so that rows after a rollup's watermark are found by zone maps alone.
    """CREATE TABLE events (
    account INTEGER NOT NULL, id UUID NOT NULL, id_text VARCHAR, ts BIGINT NOT NULL,
    model_code INTEGER NOT NULL, entity_code INTEGER, session_id VARCHAR, tag_code INTEGER,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cache_read_input_tokens INTEGER NOT NULL, cache_write_input_tokens INTEGER NOT NULL,
    cache_write_1h_input_tokens INTEGER NOT NULL, reasoning_output_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL, output_audio_tokens INTEGER NOT NULL,
    web_search_requests INTEGER NOT NULL, service_tier VARCHAR, latency_ms INTEGER,
    success BOOLEAN NOT NULL, error_type VARCHAR, error_code VARCHAR,
    cost_pico BIGINT NOT NULL, cost_source TINYINT NOT NULL, computed_cost_pico BIGINT,
    rate_id BIGINT, commit_no BIGINT NOT NULL)""",
    """CREATE TABLE models (code INTEGER NOT NULL, provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL)""",
    # text_hash: 64 bits of the account, type and id, so that looking a code up compares integers.
    """CREATE TABLE entities (code INTEGER NOT NULL, account INTEGER NOT NULL,
    text_hash UBIGINT NOT NULL, entity_type VARCHAR NOT NULL, entity_id VARCHAR NOT NULL)""",
    """CREATE TABLE tag_sets (code INTEGER NOT NULL, account INTEGER NOT NULL,
    tags VARCHAR NOT NULL)""",
    # The rollups are sums of rows: a cell may stand in several of them, `merged` ones are the
    # result of a compaction. They cover the events whose commit_no is up to the watermark.
    """CREATE TABLE rollup_entity_day (account INTEGER NOT NULL, day INTEGER NOT NULL,
    entity_code INTEGER, model_code INTEGER NOT NULL, merged BOOLEAN NOT NULL,
    first_us BIGINT, last_us BIGINT,"""
    + _SUMS_DDL
    + ")",
    """CREATE TABLE rollup_quarter (account INTEGER NOT NULL, slot INTEGER NOT NULL,
    model_code INTEGER NOT NULL, merged BOOLEAN NOT NULL,"""
    + _SUMS_DDL
    + ")",
    """CREATE TABLE rollup_entity (account INTEGER NOT NULL, entity_code INTEGER NOT NULL,
    merged BOOLEAN NOT NULL, first_us BIGINT, last_us BIGINT,"""
    + _SUMS_DDL
    + ")",
    "CREATE TABLE rollup_state (watermark BIGINT NOT NULL)",
    "INSERT INTO rollup_state VALUES (0)",
)

_VERSION_2 = (
    # tag_code: null for events without tags. Accounts with many sets have no such sums.
    """CREATE TABLE rollup_tag_day (account INTEGER NOT NULL, day INTEGER NOT NULL,
    tag_code INTEGER, model_code INTEGER NOT NULL, merged BOOLEAN NOT NULL,"""
    + _SUMS_DDL
    + ")",
    "CREATE TABLE accounts_without_tag_sums (account INTEGER NOT NULL)",
    """INSERT INTO accounts_without_tag_sums
    SELECT account FROM tag_sets GROUP BY account HAVING count(*) > 1000""",
    """INSERT INTO rollup_tag_day
    SELECT account, ((ts + 86400000000000000) // 86400000000 - 1000000)::INTEGER AS day,
    tag_code, model_code, true, count(*), count(*) FILTER (NOT success),
    count(*) FILTER (cost_source = 2), sum(cost_pico),
    coalesce(sum(cost_pico) FILTER (cost_source = 1), 0), sum(input_tokens), sum(output_tokens),
    sum(cache_read_input_tokens), sum(cache_write_input_tokens), sum(cache_write_1h_input_tokens),
    sum(reasoning_output_tokens), sum(input_audio_tokens), sum(output_audio_tokens),
    sum(web_search_requests), coalesce(sum(latency_ms), 0), count(latency_ms) FROM events
    WHERE commit_no <= (SELECT watermark FROM rollup_state)
    AND account NOT IN (SELECT account FROM accounts_without_tag_sums)
    GROUP BY account, day, tag_code, model_code ORDER BY account, day, tag_code, model_code""",
)

_VERSION_3 = (
    # session_hash: 32 bits of the session's name. Rows are never too narrow; see session_days.py.
    """CREATE TABLE session_days (account INTEGER NOT NULL, session_hash UINTEGER NOT NULL,
    first_day INTEGER NOT NULL, last_day INTEGER NOT NULL)""",
    """INSERT INTO session_days
    SELECT account, (md5_number_lower(session_id) & 4294967295)::UINTEGER, min(day), max(day)
    FROM (SELECT account, session_id,
        ((ts + 86400000000000000) // 86400000000 - 1000000)::INTEGER AS day FROM events
        WHERE commit_no <= (SELECT watermark FROM rollup_state) AND session_id IS NOT NULL)
    GROUP BY account, session_id ORDER BY account, min(day)""",
)


@dataclass(frozen=True, slots=True)
class Step:
    """The statements that lead to `version` from the one before it."""

    version: int
    statements: tuple[str, ...]


STEPS: Final = (Step(1, _VERSION_1), Step(2, _VERSION_2), Step(3, _VERSION_3))


def prepare(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    *,
    instance_id: str,
    steps: Sequence[Step] = STEPS,
) -> int:
    """Check whose file this is, bring it to the newest version, and answer that version.

    An older file is copied beside itself (`events.duckdb.before-version-N`) before the first
    step. StartupError for another instance, a newer version, or no room for the copy.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL)"
    )
    stored = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    _refuse_foreign(connection, stored, instance_id)
    version = int(stored.get("schema_version", "0"))
    newest = steps[-1].version
    if version > newest:
        raise StartupError(
            f"the event store has schema version {version}, this program knows up to {newest}:"
            " install the newer program, or restore a backup made by this one"
        )
    if 0 < version < newest:
        copy = _copy_before(connection, file, version)
        _log.info(
            "the event store is brought from version %d to %d; as it was: %s",
            version,
            newest,
            copy.name,
        )
    for step in steps:
        if step.version > version:
            _take(connection, step, instance_id)
    return newest


def read_number(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    """A number that the file keeps beside its tables; 0 when it was never written."""
    rows = connection.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchall()
    return int(rows[0][0]) if rows else 0


def write_number(connection: duckdb.DuckDBPyConnection, name: str, value: int) -> None:
    """Keep a number, in the caller's transaction."""
    connection.execute("DELETE FROM meta WHERE name = ?", [name])
    connection.execute("INSERT INTO meta VALUES (?, ?)", [name, str(value)])


def _refuse_foreign(
    connection: duckdb.DuckDBPyConnection, stored: dict[str, str], instance_id: str
) -> None:
    owner = stored.get("instance_id")
    if owner is None:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        if any(name != "meta" for (name,) in tables):
            raise StartupError(
                "events.duckdb is a DuckDB file of something else: move it away or name another"
                " data folder"
            )
    elif owner != instance_id:
        raise StartupError(
            f"the event store belongs to instance {owner}, the control store to {instance_id}:"
            " put back the two that belong together"
        )


def _copy_before(connection: duckdb.DuckDBPyConnection, file: Path, version: int) -> Path:
    connection.execute("CHECKPOINT")
    copy = file.with_name(f"{file.name}.before-version-{version + 1}")
    try:
        shutil.copyfile(file, copy)
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise StartupError(
            f"no copy of the event store could be made before its migration ({error.strerror}):"
            f" make room for {file.stat().st_size} bytes beside it"
        ) from error
    return copy


def _take(connection: duckdb.DuckDBPyConnection, step: Step, instance_id: str) -> None:
    connection.execute("BEGIN TRANSACTION")
    try:
        for statement in step.statements:
            connection.execute(statement)
        connection.execute("DELETE FROM meta WHERE name IN ('instance_id', 'schema_version')")
        connection.execute(
            "INSERT INTO meta VALUES ('instance_id', ?), ('schema_version', ?)",
            [instance_id, str(step.version)],
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
