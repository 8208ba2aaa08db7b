"""New costs for stored events, and the difference they make in the rollups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from infraprism_server.event_store.contract import CostChange
from infraprism_server.event_store.duckdb.folding import CORRECT
from infraprism_server.event_store.duckdb.schema import COST_SOURCES

_REPORTED: Final = COST_SOURCES.index("reported")
_UNPRICED: Final = COST_SOURCES.index("unpriced")

_BEFORE: Final = """
    SELECT id, id_text, cost_pico, cost_source, computed_cost_pico, rate_id,
    rowid, ts, entity_code, model_code, tag_code, commit_no
    FROM events WHERE account = ? AND rowid IN (SELECT unnest(?::BIGINT[]))
"""

_UPDATE: Final = """
    UPDATE events SET cost_pico = d.cost_pico, cost_source = d.cost_source,
    computed_cost_pico = d.computed_cost_pico, rate_id = d.rate_id
    FROM differences d WHERE events.account = ? AND events.rowid = d.place
"""


def apply_changes(
    connection: duckdb.DuckDBPyConnection,
    account: int,
    rowids: Sequence[int],
    wanted: Mapping[tuple[bytes, str | None], CostChange],
    watermark: int,
) -> int:
    """Change those of the rows that differ, inside the caller's transaction; how many did."""
    if not rowids:
        return 0
    changed: list[tuple[tuple[Any, ...], CostChange]] = []
    for row in connection.execute(_BEFORE, [account, list(rowids)]).fetchall():
        change = wanted.get((row[0].bytes, row[1]))
        if change is not None and row[2:6] != _stored_form(change):
            changed.append((row, change))
    if not changed:
        return 0
    differences = _table(account, changed)
    connection.execute(_UPDATE, [account])
    for statement in CORRECT:
        connection.execute(statement, [watermark])
    del differences
    return len(changed)


def _stored_form(change: CostChange) -> tuple[int, int, int | None, int | None]:
    return (
        change.cost_pico,
        COST_SOURCES.index(change.cost_source),
        change.computed_cost_pico,
        change.rate_id,
    )


def _table(account: int, changed: Sequence[tuple[tuple[Any, ...], CostChange]]) -> pa.Table:
    new = [_stored_form(change) for _, change in changed]
    old = [row for row, _ in changed]
    int8, int32, int64 = pa.int8(), pa.int32(), pa.int64()
    return pa.table(
        {
            "account": pa.repeat(pa.scalar(account, int32), len(changed)),
            "place": pa.array([row[6] for row in old], int64),
            "ts": pa.array([row[7] for row in old], int64),
            "entity_code": pa.array([row[8] for row in old], int32),
            "model_code": pa.array([row[9] for row in old], int32),
            "tag_code": pa.array([row[10] for row in old], int32),
            "commit_no": pa.array([row[11] for row in old], int64),
            "cost_pico": pa.array([form[0] for form in new], int64),
            "cost_source": pa.array([form[1] for form in new], int8),
            "computed_cost_pico": pa.array([form[2] for form in new], int64),
            "rate_id": pa.array([form[3] for form in new], int64),
            "unpriced_change": pa.array(
                [(n[1] == _UNPRICED) - (o[3] == _UNPRICED) for n, o in zip(new, old, strict=True)],
                int8,
            ),
            "cost_change": pa.array([n[0] - o[2] for n, o in zip(new, old, strict=True)], int64),
            "reported_change": pa.array(
                [
                    (n[0] if n[1] == _REPORTED else 0) - (o[2] if o[3] == _REPORTED else 0)
                    for n, o in zip(new, old, strict=True)
                ],
                int64,
            ),
        }
    )
