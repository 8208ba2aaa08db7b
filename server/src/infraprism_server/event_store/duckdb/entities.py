"""Reading entities: who was seen or remembered, and what each of them costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import duckdb

from infraprism_server.event_store.contract import (
    EntityPage,
    EntityQuery,
    EntitySort,
    EntityTotals,
    EventFilter,
)
from infraprism_server.event_store.duckdb import rollup
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.duckdb.filters import (
    MAX_US,
    MIN_US,
    Clause,
    Selection,
    find_entity_code,
    one_of,
    select,
)
from infraprism_server.event_store.duckdb.sums import ALL_SUMS, SumColumns, columns_of
from infraprism_server.event_store.sums import Sums

_SORT_KEYS: Final[dict[EntitySort, str]] = {
    "total_cost": "coalesce(k.cost_pico, 0)",
    "total_events": "coalesce(k.events, 0)",
    "first_seen": "s.first_us",
    "last_seen": "s.last_us",
    "entity_id": "n.entity_id",
}

_KEY_SUMS: Final = columns_of(frozenset({"events", "cost_pico"}))


def list_entities(database: Database, query: EntityQuery) -> EntityPage:
    """A page of entities: first who is on it, by the sort key alone, then their sums."""
    with database.snapshot() as cursor:
        where = EventFilter(account=query.account, start_us=query.start_us, end_us=query.end_us)
        selection = select(cursor, where)
        known = rollup.covered(cursor, query.account)
        of_type = Clause("n.account = ?", (query.account,))
        if query.entity_type is not None:
            of_type &= Clause("n.entity_type = ?", (query.entity_type,))
        if query.id_contains is not None:
            of_type &= _matching(query.id_contains, query.named)
        ((total,),) = cursor.execute(
            f"SELECT count(*) FROM entities n WHERE {of_type.text}",  # noqa: S608
            list(of_type.values),
        ).fetchall()
        direction = "DESC" if query.descending else "ASC"
        keys = _keys(cursor, selection, known, needed=query.sort in ("total_cost", "total_events"))
        seen = _seen(query.account, known)
        found = cursor.execute(
            f"""WITH seen AS ({seen.text}), keys AS ({keys.text})
            SELECT n.code, n.entity_type, n.entity_id, s.first_us, s.last_us FROM entities n
            LEFT JOIN seen s ON s.entity_code = n.code LEFT JOIN keys k ON k.entity_code = n.code
            WHERE {of_type.text}
            ORDER BY s.first_us IS NULL, {_SORT_KEYS[query.sort]} {direction},
            n.entity_type, n.entity_id LIMIT ? OFFSET ?""",  # noqa: S608
            [
                *seen.values,
                *keys.values,
                *of_type.values,
                *(query.limit, query.offset),
            ],
        ).fetchall()
        sums = _sums_by_entity(cursor, selection, known, [row[0] for row in found])
    return EntityPage(
        entities=[
            EntityTotals(
                entity_type=entity_type,
                entity_id=entity_id,
                first_seen_us=first_us,
                last_seen_us=last_us,
                sums=sums.get(code, Sums()),
            )
            for code, entity_type, entity_id, first_us, last_us in found
        ],
        total=total,
    )


def find_entity(
    database: Database, account: int, entity_type: str, entity_id: str
) -> EntityTotals | None:
    """One entity with its sums of all time, or None."""
    with database.snapshot() as cursor:
        code = find_entity_code(cursor, account, entity_type, entity_id)
        if code is None:
            return None
        selection = select(cursor, EventFilter(account=account))
        known = rollup.covered(cursor, account)
        sums = _sums_by_entity(cursor, selection, known, [code])
        ((first_us, last_us),) = cursor.execute(
            """SELECT min(first_us), max(last_us) FROM (
            SELECT first_us, last_us FROM rollup_entity
            WHERE account = ? AND entity_code = ?
            UNION ALL SELECT ts, ts FROM events
            WHERE account = ? AND entity_code = ? AND commit_no > ?)""",
            [account, code, account, code, known.commit_no],
        ).fetchall()
    return EntityTotals(
        entity_type=entity_type,
        entity_id=entity_id,
        first_seen_us=first_us,
        last_seen_us=last_us,
        sums=sums.get(code, Sums()),
    )


def _matching(text: str, named: Sequence[tuple[str, str]]) -> Clause:
    return Clause(
        "(contains(lower(n.entity_id), lower(?)) OR (n.entity_type, n.entity_id) IN"
        " (SELECT (unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))))",
        (text, [kind for kind, _ in named], [name for _, name in named]),
    )


def _seen(account: int, known: rollup.Covered) -> Clause:
    """When each entity was seen first and last."""
    folded = Clause(
        "SELECT entity_code, min(first_us) AS first_us, max(last_us) AS last_us"
        " FROM rollup_entity WHERE account = ? GROUP BY entity_code",
        (account,),
    )
    if known.whole:
        return folded
    return Clause(
        "SELECT entity_code, min(first_us) AS first_us, max(last_us) AS last_us FROM ("  # noqa: S608
        f"{folded.text} UNION ALL SELECT entity_code, min(ts), max(ts) FROM events"
        " WHERE account = ? AND commit_no > ? GROUP BY entity_code) GROUP BY entity_code",
        (*folded.values, account, known.commit_no),
    )


def _parts(
    cursor: duckdb.DuckDBPyConnection, selection: Selection, known: rollup.Covered
) -> list[rollup.Part]:
    if selection.start_us >= selection.end_us:
        return [rollup.events_part(selection, 0, 0)]
    if selection.start_us == MIN_US and selection.end_us == MAX_US:
        return rollup.parts_of_all_time(selection, known)
    span_us = (selection.start_us, selection.end_us)
    return rollup.parts(cursor, selection, rollup.ENTITY_DAY, known, span_us)


def _keys(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    known: rollup.Covered,
    *,
    needed: bool,
) -> Clause:
    """Cost and events of each entity: what a page may be sorted by, and no more."""
    if not needed:
        return Clause("SELECT NULL::INTEGER AS entity_code")
    pieces = _parts(cursor, selection, known)
    return _by_entity(pieces, _KEY_SUMS)


def _sums_by_entity(
    cursor: duckdb.DuckDBPyConnection,
    selection: Selection,
    known: rollup.Covered,
    codes: Sequence[int],
) -> dict[int, Sums]:
    if not codes:
        return {}
    if len(codes) == 1:
        one = Clause("entity_code = ?", (codes[0],))
        selection = replace(selection, codes=selection.codes & one)
    else:
        selection = replace(selection, chosen=(one_of("entity_code", codes),))
    pieces = _parts(cursor, selection, known)
    sums = _by_entity(pieces, ALL_SUMS)
    found = cursor.execute(sums.text, sums.values).fetchall()
    return {row[0]: ALL_SUMS.read(row[1:]) for row in found}


def _by_entity(pieces: Sequence[rollup.Part], columns: SumColumns) -> Clause:
    """A row for each entity."""
    text = " UNION ALL ".join(
        f"SELECT entity_code, {piece.sums(columns)} FROM {piece.rows.text} GROUP BY entity_code"  # noqa: S608
        for piece in pieces
    )
    if len(pieces) > 1:  # to plan this as well takes milliseconds
        text = f"SELECT entity_code, {columns.of_sums} FROM ({text}) GROUP BY entity_code"  # noqa: S608
    return Clause(text, tuple(value for piece in pieces for value in piece.rows.values))
