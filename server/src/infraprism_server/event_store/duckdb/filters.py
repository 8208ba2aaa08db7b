"""From a filter of the contract to conditions: constant text, values as parameters."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.duckdb.schema import COST_SOURCES

MIN_US: Final = -(1 << 58)
MAX_US: Final = 1 << 58
"""Beyond every instant a calendar knows: the ends of a range that is open."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of SQL made of constant fragments, and the values of its `?` in their order."""

    text: str
    values: tuple[object, ...] = ()

    def __and__(self, other: Clause) -> Clause:
        return Clause(f"{self.text} AND {other.text}", self.values + other.values)


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter with its names looked up: what the tables can be asked."""

    account: int
    start_us: int
    end_us: int
    codes: Clause
    """The account, and conditions on model_code and entity_code: every rollup has these columns."""
    details: Clause | None
    """Conditions that only event rows can answer."""
    by_entity: bool
    """Whether the codes speak of entities."""
    nothing: bool
    """Whether a name is unknown, so that no event can match."""

    def events(self, start_us: int, end_us: int) -> Clause:
        """The condition on event rows for a part of the range."""
        clause = self.codes & Clause("ts >= ? AND ts < ?", (start_us, end_us))
        return clause if self.details is None else clause & self.details


def text_hash(*parts: str) -> int:
    """64 bits that stand for texts in look-ups; the texts are compared as well."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def entity_hash(account: int, entity_type: str, entity_id: str) -> int:
    """The text_hash of an entity's row."""
    return text_hash(str(account), entity_type, entity_id)


def find_entity_code(
    cursor: duckdb.DuckDBPyConnection, account: int, entity_type: str, entity_id: str
) -> int | None:
    """The code of an entity, or None when it was never seen nor remembered."""
    rows = cursor.execute(
        "SELECT code FROM entities WHERE account = ? AND text_hash = ?"
        " AND entity_type = ? AND entity_id = ?",
        [account, entity_hash(account, entity_type, entity_id), entity_type, entity_id],
    ).fetchall()
    return rows[0][0] if rows else None


def json_pointer(key: str) -> str:
    """The RFC 6901 pointer to a member of a flat object, whatever characters its name has."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def select(cursor: duckdb.DuckDBPyConnection, where: EventFilter) -> Selection:
    """Look up what the filter names."""
    selection = Selection(
        account=where.account,
        start_us=MIN_US if where.start_us is None else where.start_us,
        end_us=MAX_US if where.end_us is None else where.end_us,
        codes=Clause("account = ?", (where.account,)),
        details=_details(where),
        by_entity=where.entity_type is not None or where.entity_id is not None,
        nothing=False,
    )
    return _with_entity(cursor, where, _with_model(cursor, where, selection))


def _with_model(
    cursor: duckdb.DuckDBPyConnection, where: EventFilter, selection: Selection
) -> Selection:
    if where.model is None and where.provider is None:
        return selection
    rows = cursor.execute(
        "SELECT code FROM models WHERE (? IS NULL OR model = ?) AND (? IS NULL OR provider = ?)",
        [where.model, where.model, where.provider, where.provider],
    ).fetchall()
    if not rows:
        return replace(selection, nothing=True)
    if len(rows) == 1:
        condition = Clause("model_code = ?", rows[0])
    else:
        condition = Clause(
            "model_code IN (SELECT unnest(?::INTEGER[]))", ([code for (code,) in rows],)
        )
    return replace(selection, codes=selection.codes & condition)


def _with_entity(
    cursor: duckdb.DuckDBPyConnection, where: EventFilter, selection: Selection
) -> Selection:
    if where.entity_type is not None and where.entity_id is not None:
        code = find_entity_code(cursor, where.account, where.entity_type, where.entity_id)
        if code is None:
            return replace(selection, nothing=True)
        return replace(selection, codes=selection.codes & Clause("entity_code = ?", (code,)))
    if where.entity_type is not None:
        condition = Clause(
            "entity_code IN (SELECT code FROM entities WHERE account = ? AND entity_type = ?)",
            (where.account, where.entity_type),
        )
    elif where.entity_id is not None:
        condition = Clause(
            "entity_code IN (SELECT code FROM entities WHERE account = ? AND entity_id = ?)",
            (where.account, where.entity_id),
        )
    else:
        return selection
    return replace(selection, codes=selection.codes & condition)


def _details(where: EventFilter) -> Clause | None:
    clauses: list[Clause] = []
    if where.session_id is not None:
        clauses.append(Clause("session_id = ?", (where.session_id,)))
    if where.success is not None:
        clauses.append(Clause("success = ?", (where.success,)))
    if where.cost_source is not None:
        clauses.append(Clause("cost_source = ?", (COST_SOURCES.index(where.cost_source),)))
    if where.tags:
        # The text of a set is read once per set, never once per event.
        matches = " AND ".join("json_extract_string(tags, ?) = ?" for _ in where.tags)
        values = tuple(part for key, value in where.tags for part in (json_pointer(key), value))
        clauses.append(
            Clause(
                f"tag_code IN (SELECT code FROM tag_sets WHERE account = ? AND {matches})",  # noqa: S608
                (where.account, *values),
            )
        )
    if not clauses:
        return None
    return Clause(
        " AND ".join(clause.text for clause in clauses),
        tuple(value for clause in clauses for value in clause.values),
    )
