"""From a filter of the contract to conditions: constant text, values as parameters.

A condition on codes that stand for what is asked (the tag sets with a tag, the entities of a type)
is a join where a statement can have one: DuckDB 2.0 looks codes up in a plain array for an inner
join alone, which takes two thirds of the CPU of `IN (SELECT …)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import duckdb

from infraprism_server.event_store.contract import EventFilter
from infraprism_server.event_store.duckdb.schema import COST_SOURCES
from infraprism_server.event_store.duckdb.session_days import find_span

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
class OneOf:
    """That a column holds one of the codes of a statement, which has each of them once."""

    column: str
    codes: Clause
    """SELECT … AS code"""

    @property
    def condition(self) -> Clause:
        """For where no join can be: deleting, changing, FILTER."""
        return Clause(f"{self.column} IN ({self.codes.text})", self.codes.values)

    @property
    def join(self) -> Clause:
        """To put behind a table that has the column; its only column has a name of its own."""
        chosen = f"chosen_{self.column}"
        return Clause(
            f" JOIN ({self.codes.text}) AS {chosen}({chosen}) ON {chosen} = {self.column}",
            self.codes.values,
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter with its names looked up: what the tables can be asked."""

    account: int
    start_us: int
    end_us: int
    codes: Clause
    """The account, and conditions on model_code and entity_code: every rollup has these columns."""
    chosen: tuple[OneOf, ...]
    """More conditions on these two columns."""
    success: bool | None
    """A condition that only event rows can answer; but rollups know how many there are."""
    details: tuple[Clause, ...]
    """Conditions that only event rows can answer."""
    tags: OneOf | None
    """A condition that event rows and sums by tags can answer."""
    by_entity: bool
    """Whether the codes speak of entities."""
    nothing: bool
    """Whether a name is unknown, so that no event can match."""

    def of(self, rollup: str, *, tagged: bool = False) -> Clause:
        """A rollup's name and joins: with the condition `codes` its rows are the selected ones.

        `tagged`: it has sums by tags.
        """
        return _joined(rollup, self._one_ofs if tagged else self.chosen)

    def of_events(self) -> Clause:
        """The same for the table of events, with the condition `in_range`."""
        return _joined("events", self._one_ofs)

    def in_range(self, start_us: int, end_us: int) -> Clause:
        """What the joins of `of_events` leave to be said, for a part of the range."""
        clause = self.codes & Clause("ts >= ? AND ts < ?", (start_us, end_us))
        if self.success is not None:
            clause &= Clause("success = ?", (self.success,))
        for detail in self.details:
            clause &= detail
        return clause

    def events(self, start_us: int, end_us: int) -> Clause:
        """What follows FROM, to see the event rows of a part of the range."""
        source, condition = self.of_events(), self.in_range(start_us, end_us)
        return Clause(f"{source.text} WHERE {condition.text}", source.values + condition.values)

    def condition(self, start_us: int, end_us: int) -> Clause:
        """The same as one condition on event rows, for where no join can be."""
        clause = self.in_range(start_us, end_us)
        for one_of in self._one_ofs:
            clause &= one_of.condition
        return clause

    @property
    def _one_ofs(self) -> tuple[OneOf, ...]:
        return self.chosen if self.tags is None else (*self.chosen, self.tags)


def _joined(table: str, conditions: tuple[OneOf, ...]) -> Clause:
    joins = [condition.join for condition in conditions]
    return Clause(
        table + "".join(join.text for join in joins),
        tuple(value for join in joins for value in join.values),
    )


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
        chosen=(),
        success=where.success,
        details=_details(where),
        tags=_tags(where),
        by_entity=where.entity_type is not None or where.entity_id is not None,
        nothing=False,
    )
    selection = _with_entity(cursor, where, _with_model(cursor, where, selection))
    return _where_session_is(cursor, where, selection)


def _where_session_is(
    cursor: duckdb.DuckDBPyConnection, where: EventFilter, selection: Selection
) -> Selection:
    """The part of the range that has the events of the session that is asked for."""
    if where.session_id is None or selection.nothing:
        return selection
    span = find_span(cursor, where.account, where.session_id)
    if span is None:
        return replace(selection, nothing=True)
    start_us, end_us = max(selection.start_us, span[0]), min(selection.end_us, span[1])
    return replace(selection, start_us=start_us, end_us=end_us, nothing=start_us >= end_us)


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
        return replace(selection, codes=selection.codes & Clause("model_code = ?", rows[0]))
    return replace(
        selection, chosen=(*selection.chosen, one_of("model_code", [code for (code,) in rows]))
    )


def _with_entity(
    cursor: duckdb.DuckDBPyConnection, where: EventFilter, selection: Selection
) -> Selection:
    if where.entity_type is not None and where.entity_id is not None:
        code = find_entity_code(cursor, where.account, where.entity_type, where.entity_id)
        if code is None:
            return replace(selection, nothing=True)
        return replace(selection, codes=selection.codes & Clause("entity_code = ?", (code,)))
    if where.entity_type is not None:
        column, name = "entity_type", where.entity_type
    elif where.entity_id is not None:
        column, name = "entity_id", where.entity_id
    else:
        return selection
    codes = Clause(
        f"SELECT code FROM entities WHERE account = ? AND {column} = ?",  # noqa: S608
        (where.account, name),
    )
    return replace(selection, chosen=(*selection.chosen, OneOf("entity_code", codes)))


def one_of(column: str, codes: Sequence[int]) -> OneOf:
    """That a column holds one of these codes, of which none is twice."""
    return OneOf(column, Clause("SELECT unnest(?::INTEGER[]) AS code", (list(codes),)))


def _details(where: EventFilter) -> tuple[Clause, ...]:
    clauses: list[Clause] = []
    if where.session_id is not None:
        clauses.append(Clause("session_id = ?", (where.session_id,)))
    if where.cost_source is not None:
        clauses.append(Clause("cost_source = ?", (COST_SOURCES.index(where.cost_source),)))
    return tuple(clauses)


def _tags(where: EventFilter) -> OneOf | None:
    if not where.tags:
        return None
    # The text of a set is read once per set, never once per event.
    matches = " AND ".join("json_extract_string(tags, ?) = ?" for _ in where.tags)
    values = tuple(part for key, value in where.tags for part in (json_pointer(key), value))
    return OneOf(
        "tag_code",
        Clause(
            f"SELECT code FROM tag_sets WHERE account = ? AND {matches}",  # noqa: S608
            (where.account, *values),
        ),
    )
