"""Sums by bucket of time and by group: one statement, exact, from a rollup where one will do.

Rows are summed by codes first; names and tag values are looked up once per sum, then regrouped
(two tag sets may share the value that is asked for, two models a provider).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import duckdb

from infraprism_server.event_store.contract import (
    GroupField,
    TagKey,
    UnpricedModel,
    UsagePage,
    UsageQuery,
    UsageRow,
)
from infraprism_server.event_store.duckdb import rollup, tag_sums
from infraprism_server.event_store.duckdb.buckets import bucket_of
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.filters import Clause, Selection, json_pointer, select
from infraprism_server.event_store.duckdb.sums import columns_of
from infraprism_server.event_store.sums import Sums

# Of each field: the column it is summed by, and its value once the names are joined.
_COLUMNS: Final[dict[GroupField, tuple[str, str]]] = {
    "model": ("model_code", "m.model"),
    "provider": ("model_code", "m.provider"),
    "entity_type": ("entity_code", "n.entity_type"),
    "entity_id": ("entity_code", "n.entity_id"),
    "session_id": ("session_id", "u.session_id"),
    "service_tier": ("service_tier", "coalesce(u.service_tier, 'standard')"),
    "success": ("success", "u.success"),
}
_TAG_COLUMN: Final = "tag_code"
_JOINS: Final = {
    "model_code": " LEFT JOIN models m ON m.code = u.model_code",
    "entity_code": " LEFT JOIN entities n ON n.code = u.entity_code AND n.account = ?",
    "tag_code": " LEFT JOIN tag_sets t ON t.code = u.tag_code AND t.account = ?",
}


@dataclass(frozen=True, slots=True)
class _Groups:
    columns: tuple[str, ...]
    """The distinct columns of codes."""
    names: tuple[str, ...]
    """g0, g1, …: one per field of the query."""
    values: tuple[Clause, ...]


def usage(
    database: Database,
    query: UsageQuery,
    begin: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> UsagePage:
    """Sums by bucket and group. `begin` makes the first read of the snapshot."""
    with database.snapshot() as cursor:
        if begin is not None:
            begin(cursor)
        selection = select(cursor, query.filter)
        start_us = max(selection.start_us, query.bounds_us[0])
        end_us = min(selection.end_us, query.bounds_us[-1])
        if selection.nothing or start_us >= end_us:
            return UsagePage(rows=[], total=0, totals=Sums())
        groups = _groups(query)
        grid = choose_grid(cursor, selection, groups.columns, query.bounds_us, (start_us, end_us))
        pieces = _pieces(cursor, query, selection, groups, grid, span_us=(start_us, end_us))
        statement = _statement(query, groups, pieces, grid)
        # A breakdown by tags has so many sums that three without a pause keep ingest waiting.
        long = grid is None or grid is rollup.TAG_DAY
        with database.long_reads.turn() if long else nullcontext():
            found = cursor.execute(statement.text, list(statement.values)).fetchall()
    # By place, and here: DuckDB 2.0 takes columns of such a union for narrower than they are when
    # it sorts them (an account without entities, grouped by them).
    found.sort(key=itemgetter(0))
    width, columns = len(groups.names), columns_of(query.only)
    rows = [
        UsageRow(
            bucket=row[1],
            group=None if row[2] else tuple(row[3 : 3 + width]),
            sums=columns.read(row[4 + width :]),
        )
        for row in found
        if row[0] > 0
    ]
    rows_total, totals = next(
        (row[3 + width], columns.read(row[4 + width :])) for row in found if row[0] == 0
    )
    return UsagePage(rows=rows, total=rows_total, totals=totals)


def find_extent(database: Database, account: int) -> tuple[int, int] | None:
    """The oldest and the newest timestamp: of what is folded, and of the tail."""
    with database.snapshot() as cursor:
        folded = rollup.folded_extent(cursor, account)
        known = rollup.covered(cursor, account)
        if known.whole:
            return folded
        ((first_us, last_us),) = cursor.execute(
            "SELECT min(ts), max(ts) FROM events WHERE account = ? AND commit_no > ?",
            [account, known.commit_no],
        ).fetchall()
    return (
        (first_us, last_us)
        if folded is None
        else (min(first_us, folded[0]), max(last_us, folded[1]))
    )


def list_unpriced(database: Database, account: int) -> list[UnpricedModel]:
    """Models with unpriced events, most events first."""
    with database.snapshot() as cursor, database.long_reads.turn():
        found = cursor.execute(
            """SELECT m.provider, m.model, sum(u.events), sum(u.input_tokens),
            sum(u.output_tokens), min(u.first_us), max(u.last_us)
            FROM (SELECT model_code, count(*) AS events, sum(input_tokens) AS input_tokens,
                sum(output_tokens) AS output_tokens, min(ts) AS first_us, max(ts) AS last_us
                FROM events WHERE account = ? AND cost_source = 2 GROUP BY model_code) u
            JOIN models m ON m.code = u.model_code
            GROUP BY m.provider, m.model ORDER BY 3 DESC, 1, 2""",
            [account],
        ).fetchall()
    return [
        UnpricedModel(
            provider=row[0],
            model=row[1],
            events=row[2],
            input_tokens=row[3],
            output_tokens=row[4],
            first_seen_us=row[5],
            last_seen_us=row[6],
        )
        for row in found
    ]


def choose_grid(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    columns: tuple[str, ...],
    bounds_us: tuple[int, ...],
    span_us: tuple[int, int],
) -> rollup.Rollup | None:
    """The coarsest rollup that can answer; None: only the events themselves can."""
    if selection.details or selection.success is not None:
        return None
    start_us, end_us = span_us
    inner = [bound for bound in bounds_us[1:-1] if start_us < bound < end_us]

    def fits(grid: rollup.Rollup, known: set[str]) -> bool:
        return known.issuperset(columns) and all(bound % grid.width_us == 0 for bound in inner)

    if selection.tags is not None or _TAG_COLUMN in columns:
        by_tags = not selection.by_entity and fits(rollup.TAG_DAY, {"model_code", _TAG_COLUMN})
        kept = by_tags and tag_sums.are_kept(cursor, selection.account)
        return rollup.TAG_DAY if kept else None
    # A cell of the quarter rollup holds all entities: for a few models it has far fewer rows.
    if not selection.by_entity and fits(rollup.QUARTER, {"model_code"}):
        return rollup.QUARTER
    if fits(rollup.ENTITY_DAY, {"model_code", "entity_code"}):
        return rollup.ENTITY_DAY
    return None


def _pieces(
    cursor: duckdb.DuckDBPyConnection,
    query: UsageQuery,
    selection: Selection,
    groups: _Groups,
    grid: rollup.Rollup | None,
    *,
    span_us: tuple[int, int],
) -> list[rollup.Part]:
    """Where the sums come from: the parts cover each event of the span exactly once."""
    if grid is None:
        return [rollup.events_part(selection, *span_us)]
    known = rollup.covered(cursor, selection.account)
    by_entity = groups.columns == ("entity_code",) and len(query.bounds_us) == 2
    if by_entity and query.filter.model is None and query.filter.provider is None:
        pieces = rollup.parts_by_entity(cursor, selection, known, *span_us)
        if pieces is not None:
            return pieces
    return rollup.parts(cursor, selection, grid, known, span_us)


def _groups(query: UsageQuery) -> _Groups:
    columns: dict[str, None] = {}
    values: list[Clause] = []
    for field in query.group_by:
        if isinstance(field, TagKey):
            columns[_TAG_COLUMN] = None
            pointer = json_pointer(field.key)
            values.append(Clause("json_extract_string(t.tags, ?)", (pointer,)))
        else:
            column, value = _COLUMNS[field]
            columns[column] = None
            values.append(Clause(value))
    names = tuple(f"g{place}" for place in range(len(values)))
    return _Groups(tuple(columns), names, tuple(values))


def _statement(
    query: UsageQuery, groups: _Groups, pieces: list[rollup.Part], grid: rollup.Rollup | None
) -> Clause:
    """Place 0: how many rows there are, and the totals; from 1 on the rows of the page."""
    if query.top is None or not groups.names:
        shown = _by_name(query, groups, pieces, grid)
    elif len(query.bounds_us) == 2:
        shown = _by_rank_at_once(query, groups, pieces, grid, query.top)
    else:
        shown = _by_rank(query, groups, pieces, grid, query.top)
    sums = columns_of(query.only)
    names = "".join(f", {name}" for name in groups.names)
    by_name = "".join(f", {name} ASC NULLS LAST" for name in groups.names)
    nulls = ", NULL" * len(groups.names)
    return Clause(
        f"""WITH {shown.text},
        page AS (SELECT * FROM shown ORDER BY bucket, other, cost_pico DESC{by_name}
            LIMIT ? OFFSET ?)
        SELECT 0 AS place, 0 AS bucket, false AS other{nulls}, count(*) AS rows, {sums.of_sums}
        FROM shown
        UNION ALL
        SELECT row_number() OVER (ORDER BY bucket, other, cost_pico DESC{by_name}),
        bucket, other{names}, 0, {sums.names} FROM page""",  # noqa: S608
        (*shown.values, query.limit, query.offset),
    )


def _by_name(
    query: UsageQuery, groups: _Groups, pieces: list[rollup.Part], grid: rollup.Rollup | None
) -> Clause:
    """`shown`: a row for every bucket and group."""
    codes = "".join(f", {column}" for column in groups.columns)
    union = _union(query, pieces, grid, codes, "")
    joins, accounts = _joins(query, groups)
    values, pointers = _values(groups)
    names = "".join(f", {name}" for name in groups.names)
    return Clause(
        f"shown AS MATERIALIZED (SELECT u.bucket::BIGINT AS bucket, false AS other{values},"  # noqa: S608
        f" {columns_of(query.only).of_sums} FROM ({union.text}) u{joins} GROUP BY bucket{names})",
        pointers + union.values + accounts,
    )


def _by_rank_at_once(
    query: UsageQuery,
    groups: _Groups,
    pieces: list[rollup.Part],
    grid: rollup.Rollup | None,
    top: int,
) -> Clause:
    """`shown` as by `_by_rank`, where one bucket makes one row a group: they are summed once."""
    named = _by_name(query, groups, pieces, grid)
    sums = columns_of(query.only)
    names = "".join(f", {name}" for name in groups.names)
    nulls = ", NULL" * len(groups.names)
    by_name = "".join(f", {name} ASC NULLS LAST" for name in groups.names)
    return Clause(
        f"""named AS {named.text.removeprefix("shown AS ")},
        ranked AS MATERIALIZED (
            SELECT *, row_number() OVER (ORDER BY cost_pico DESC{by_name}) AS rank FROM named),
        shown AS MATERIALIZED (
            SELECT bucket, false AS other{names}, {sums.names} FROM ranked WHERE rank <= ?
            UNION ALL
            SELECT 0, true{nulls}, {sums.of_sums} FROM ranked WHERE rank > ?
            HAVING count(*) > 0)""",  # noqa: S608
        (*named.values, top, top),
    )


def _by_rank(
    query: UsageQuery,
    groups: _Groups,
    pieces: list[rollup.Part],
    grid: rollup.Rollup | None,
    top: int,
) -> Clause:
    """`shown`: a row for every bucket and group of the first `top`, and one for all others.

    Who is among them is found by cost alone, over the whole range; then every event is summed
    into its rank, so that nothing grows with the number of groups times the number of buckets.
    """
    sums = columns_of(query.only)
    codes = ", ".join(groups.columns)
    costs = " UNION ALL ".join(
        f"SELECT {codes}, sum(cost_pico) AS cost_pico FROM {piece.rows.text} GROUP BY {codes}"  # noqa: S608
        for piece in pieces
    )
    cost_values = tuple(value for piece in pieces for value in piece.rows.values)
    if pieces[1:]:  # of one piece each cell is a row already, and each level costs milliseconds
        costs = f"SELECT {codes}, sum(cost_pico) AS cost_pico FROM ({costs}) GROUP BY {codes}"  # noqa: S608
    joins, accounts = _joins(query, groups)
    values, pointers = _values(groups)
    names = ", ".join(groups.names)
    by_name = "".join(f", {name} ASC NULLS LAST" for name in groups.names)
    same_name = " AND ".join(f"r.{name} IS NOT DISTINCT FROM v.{name}" for name in groups.names)
    kept_codes = ", ".join(f"v.{column} AS kept_{column}" for column in groups.columns)
    same_code = " AND ".join(
        f"{column} IS NOT DISTINCT FROM kept_{column}" for column in groups.columns
    )
    union = _union(query, pieces, grid, ", rank", f" LEFT JOIN kept ON {same_code}")
    by_rank = union.text
    if pieces[1:]:
        by_rank = f"SELECT bucket, rank, {sums.of_sums} FROM ({by_rank}) GROUP BY bucket, rank"  # noqa: S608
    return Clause(
        f"""valued AS MATERIALIZED (
            SELECT {", ".join(f"u.{column}" for column in groups.columns)}{values}, u.cost_pico
            FROM ({costs}) u{joins}),
        ranked AS MATERIALIZED (
            SELECT *, row_number() OVER (ORDER BY cost_pico DESC{by_name}) AS rank FROM (
                SELECT {names}, sum(cost_pico) AS cost_pico FROM valued GROUP BY {names}
                ORDER BY cost_pico DESC{by_name} LIMIT ?)),
        kept AS MATERIALIZED (
            SELECT {kept_codes}, r.rank FROM valued v JOIN ranked r ON {same_name}),
        shown AS MATERIALIZED (
            SELECT s.bucket::BIGINT AS bucket, s.rank IS NULL AS other,
            {", ".join(f"r.{name}" for name in groups.names)},
            {", ".join(f"s.{field}" for field in sums.fields)} FROM ({by_rank}) s
            LEFT JOIN ranked r ON r.rank = s.rank)""",  # noqa: S608
        pointers + cost_values + accounts + (top,) + union.values,
    )


def _union(
    query: UsageQuery,
    pieces: list[rollup.Part],
    grid: rollup.Rollup | None,
    keys: str,
    join: str,
) -> Clause:
    """bucket, the keys, the sums: of every piece."""
    sums = columns_of(query.only)
    clauses: list[Clause] = []
    for piece in pieces:
        if piece.rolled and grid is not None:
            # Outer edges may lie inside a cell: it counts whole, or those events are pieces.
            *before, end = query.bounds_us
            bounds = (*(bound // grid.width_us for bound in before), -(-end // grid.width_us))
            bucket, edges = bucket_of(grid.column, bounds)
        else:
            bucket, edges = bucket_of("ts", query.bounds_us)
        clauses.append(
            Clause(
                f"SELECT {bucket.text} AS bucket{keys}, {piece.sums(sums)} FROM {piece.source.text}"  # noqa: S608
                f"{edges.text}{join} WHERE {piece.where.text} GROUP BY bucket{keys}",
                bucket.values + piece.source.values + edges.values + piece.where.values,
            )
        )
    return Clause(
        " UNION ALL ".join(clause.text for clause in clauses),
        tuple(value for clause in clauses for value in clause.values),
    )


def _joins(query: UsageQuery, groups: _Groups) -> tuple[str, tuple[object, ...]]:
    joins = [_JOINS[column] for column in groups.columns if column in _JOINS]
    return "".join(joins), tuple(query.filter.account for join in joins if "?" in join)


def _values(groups: _Groups) -> tuple[str, tuple[object, ...]]:
    text = "".join(
        f", {value.text} AS {name}" for name, value in zip(groups.names, groups.values, strict=True)
    )
    return text, tuple(value for clause in groups.values for value in clause.values)
