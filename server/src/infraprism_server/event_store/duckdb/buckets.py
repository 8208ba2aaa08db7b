"""From an instant to the number of its bucket, as SQL.

Buckets come in runs of equal length (all hours; the days between two changes of the clocks), and
inside a run the number is arithmetic. A query with very many runs (months of decades) looks its
bucket up among the edges instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from infraprism_server.event_store.duckdb.filters import Clause

MOST_RUNS: Final = 64


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    length: int
    first: int
    """The number of its first bucket."""


def _runs(bounds: Sequence[int]) -> list[_Run]:
    runs: list[_Run] = []
    for bucket in range(len(bounds) - 1):
        length = bounds[bucket + 1] - bounds[bucket]
        if not runs or runs[-1].length != length:
            runs.append(_Run(bounds[bucket], length, bucket))
    return runs


def bucket_of(column: str, bounds: Sequence[int]) -> tuple[Clause, Clause]:
    """An expression for the bucket of `column`, and what must be joined for it (often nothing).

    `bounds` are in the unit of the column and may repeat (an empty bucket gets no rows); a row
    outside them gets any number: filter it out.
    """
    if len(bounds) == 2:
        return Clause("0"), Clause("")
    runs = _runs(bounds)
    if len(runs) > MOST_RUNS:
        edges = Clause(
            " ASOF JOIN (SELECT edge, max(place) AS place FROM (SELECT"  # noqa: S608
            " unnest(?::BIGINT[]) AS edge, unnest(?::BIGINT[]) AS place) GROUP BY edge) AS edges"
            f" ON {column}::BIGINT >= edges.edge",
            (list(bounds[:-1]), list(range(len(bounds) - 1))),
        )
        return Clause("edges.place"), edges
    text = []
    values: list[int] = []
    for place, run in enumerate(runs):
        arithmetic = f"({column} - ?::BIGINT) // ?::BIGINT + ?::BIGINT"
        if place == len(runs) - 1:
            text.append(f"ELSE {arithmetic}" if place else arithmetic)
            values += [run.start, max(run.length, 1), run.first]
        else:
            text.append(f"WHEN {column} < ?::BIGINT THEN {arithmetic}")
            values += [runs[place + 1].start, run.start, max(run.length, 1), run.first]
    if len(runs) == 1:
        return Clause(text[0], tuple(values)), Clause("")
    return Clause(f"CASE {' '.join(text)} END", tuple(values)), Clause("")
