"""Costs by entity and hour, read as columns from the events themselves."""

from __future__ import annotations

from typing import Final

import numpy as np

from infraprism_server.clock import MICROSECONDS_PER_HOUR
from infraprism_server.event_store.duckdb import rollup
from infraprism_server.event_store.duckdb.database import Database
from infraprism_server.event_store.hourly_costs import HourlyCosts

_CHOSEN: Final = """
    SELECT entity_code FROM events
    WHERE account = ? AND ts >= ? AND ts < ? AND entity_code >= ?
    GROUP BY entity_code HAVING sum(cost_pico) >= ? ORDER BY entity_code LIMIT ?
"""

_HOURS: Final = f"""
    SELECT entity_code AS entity,
    ts // {MICROSECONDS_PER_HOUR} AS hour, sum(cost_pico)::DOUBLE AS cost_pico, count(*) AS events
    FROM events WHERE account = ? AND ts >= ? AND ts < ?
    AND entity_code BETWEEN ? AND ? AND entity_code IN (SELECT unnest(?::INTEGER[]))
    GROUP BY entity_code, hour ORDER BY entity_code, hour
"""  # noqa: S608

_NAMES: Final = """
    SELECT n.entity_type, n.entity_id, s.first_us FROM entities n JOIN (
        SELECT entity_code, min(first_us) AS first_us FROM (
            SELECT entity_code, first_us FROM rollup_entity
            WHERE account = ? AND entity_code BETWEEN ? AND ?
            UNION ALL SELECT entity_code, ts FROM events
            WHERE account = ? AND commit_no > ? AND entity_code BETWEEN ? AND ?
        ) GROUP BY entity_code
    ) s ON s.entity_code = n.code
    WHERE n.account = ? AND n.code IN (SELECT unnest(?::INTEGER[])) ORDER BY n.code
"""


def hourly_costs(
    database: Database,
    account: int,
    start_us: int,
    end_us: int,
    *,
    at_least_pico: int,
    page: int,
    entities: int,
) -> HourlyCosts:
    """A page of entities, by code; `page` is the code it starts at."""
    with database.snapshot() as cursor:
        found = cursor.execute(
            _CHOSEN, [account, start_us, end_us, page, at_least_pico, entities + 1]
        ).fetchall()
        codes = [int(code) for (code,) in found[:entities]]
        if not codes:
            nothing = np.zeros(0, dtype=np.int64)
            return HourlyCosts([], [], nothing, nothing, nothing.astype(float), nothing, None)
        ends = [codes[0], codes[-1]]
        covered = rollup.watermark(cursor)
        names = cursor.execute(
            _NAMES, [account, *ends, account, covered, *ends, account, codes]
        ).fetchall()
        rows = cursor.execute(_HOURS, [account, start_us, end_us, *ends, codes]).fetchnumpy()
    return HourlyCosts(
        entities=[(kind, name) for kind, name, _ in names],
        first_seen_us=[int(first) for *_, first in names],
        entity=np.searchsorted(codes, np.asarray(rows["entity"], dtype=np.int64)),
        hour=np.asarray(rows["hour"], dtype=np.int64),
        cost_pico=np.asarray(rows["cost_pico"], dtype=np.float64),
        events=np.asarray(rows["events"], dtype=np.int64),
        next_page=int(found[entities][0]) if len(found) > entities else None,
    )
