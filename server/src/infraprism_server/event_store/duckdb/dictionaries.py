"""The codes the writer gives to models, entities and tag sets.

Only the writer's thread comes here. Its maps from text to code are bounded: what was dropped is
looked up in the table again (models, entities: once for a whole group of appends), or simply gets
a fresh code (tag sets, whose readers regroup by text).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

import duckdb
import pyarrow as pa

from infraprism_server.event_store.duckdb.filters import entity_hash

ModelName = tuple[str, str]
EntityName = tuple[int, str, str]
TagSetName = tuple[int, str]

_Name = TypeVar("_Name", bound=tuple[object, ...])

MOST_MODELS: Final = 20_000
MOST_ENTITIES: Final = 200_000
MOST_TAG_SETS: Final = 100_000
_TAG_SETS_AT_OPEN: Final = 20_000


class CodeMap(Generic[_Name]):
    """What is known of one dictionary, with the additions of a transaction undoable."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._codes: dict[_Name, int] = {}
        self._added: list[_Name] = []
        self._next = 1
        self._next_at_begin = 1

    def start(self, highest: int | None, known: Iterable[tuple[_Name, int]] = ()) -> None:
        """Begin with the highest code of the table and some of its rows."""
        self._codes = dict(known)
        self._added = []
        self._next = self._next_at_begin = (highest or 0) + 1

    def known(self, wanted: set[_Name]) -> tuple[dict[_Name, int], list[_Name]]:
        """The codes in memory, and the names that are not."""
        codes = self._codes
        found = {name: codes[name] for name in wanted if name in codes}
        return found, [name for name in wanted if name not in found]

    def resolved(
        self, names: Sequence[_Name], resolve: Callable[[set[_Name]], object]
    ) -> list[int | None]:
        """The code of each name, in order; `resolve` is asked to learn those not in memory.

        None for a name that ends in None: nothing is named.
        """
        codes = list(map(self._codes.get, names))
        if None not in codes:
            return codes
        missing = {
            name
            for name, code in zip(names, codes, strict=True)
            if code is None and name[-1] is not None
        }
        if missing:
            resolve(missing)
            codes = list(map(self._codes.get, names))
        return codes

    def learn(self, name: _Name, code: int) -> None:
        """A row of the table that was not in memory."""
        self._codes[name] = code

    def forget(self, names: Iterable[_Name]) -> None:
        """Rows that are not in the table any more, or not under these names."""
        for name in names:
            self._codes.pop(name, None)

    def assign(self, name: _Name) -> int:
        """A fresh code, which counts only once `keep` was called."""
        code = self._next
        self._next += 1
        self._codes[name] = code
        self._added.append(name)
        return code

    def keep(self) -> None:
        """The transaction is committed. The oldest half is dropped when there are too many."""
        self._added.clear()
        self._next_at_begin = self._next
        if len(self._codes) > self._most:
            for name in list(islice(self._codes, len(self._codes) // 2)):
                del self._codes[name]

    def undo(self) -> None:
        """The transaction failed: what it added is not in the table."""
        for name in self._added:
            self._codes.pop(name, None)
        self._added.clear()
        self._next = self._next_at_begin


class Dictionaries:
    """The three dictionaries of a store."""

    def __init__(
        self,
        *,
        most_models: int = MOST_MODELS,
        most_entities: int = MOST_ENTITIES,
        most_tag_sets: int = MOST_TAG_SETS,
    ) -> None:
        self._models = CodeMap[ModelName](most_models)
        self._entities = CodeMap[EntityName](most_entities)
        self._tag_sets = CodeMap[TagSetName](most_tag_sets)

    def load(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Start from what the tables hold: all counters, and the newest tag sets."""
        ((model, entity, tag_set),) = connection.execute(
            "SELECT (SELECT max(code) FROM models), (SELECT max(code) FROM entities),"
            " (SELECT max(code) FROM tag_sets)"
        ).fetchall()
        self._models.start(model)
        self._entities.start(entity)
        recent = connection.execute(
            "SELECT account, tags, code FROM tag_sets WHERE code > ?",
            [(tag_set or 0) - _TAG_SETS_AT_OPEN],
        ).fetchall()
        self._tag_sets.start(tag_set, (((account, tags), code) for account, tags, code in recent))

    def keep(self) -> None:
        """The transaction is committed."""
        self._models.keep()
        self._entities.keep()
        self._tag_sets.keep()

    def undo(self) -> None:
        """The transaction was rolled back."""
        self._models.undo()
        self._entities.undo()
        self._tag_sets.undo()

    def forget(self, entities: Iterable[EntityName], tag_sets: Iterable[TagSetName]) -> None:
        """Rows that were deleted or renamed: looked up, or made anew, at their next use."""
        self._entities.forget(entities)
        self._tag_sets.forget(tag_sets)

    def model_codes(
        self, connection: duckdb.DuckDBPyConnection, names: Sequence[ModelName]
    ) -> list[int | None]:
        """The codes of a group's models, in order."""
        return self._models.resolved(names, lambda missing: self.models(connection, missing))

    def entity_codes(
        self,
        connection: duckdb.DuckDBPyConnection,
        names: Sequence[tuple[int, str | None, str | None]],
    ) -> list[int | None]:
        """The codes of a group's entities, in order; None where there is none.

        Nearly all are in memory. The table is asked only for those that are not.
        """
        return self._entities.resolved(
            names,  # type: ignore[arg-type]
            lambda missing: self.entities(connection, missing),
        )

    def tag_codes(
        self, connection: duckdb.DuckDBPyConnection, names: Sequence[tuple[int, str | None]]
    ) -> list[int | None]:
        """The codes of a group's tag sets, in order; None where there are no tags."""
        return self._tag_sets.resolved(
            names,  # type: ignore[arg-type]
            lambda missing: self.tag_sets(connection, missing),
        )

    def models(
        self, connection: duckdb.DuckDBPyConnection, wanted: set[ModelName]
    ) -> dict[ModelName, int]:
        """The codes of (provider, model) pairs; new ones are inserted."""
        codes, missing = self._models.known(wanted)
        if not missing:
            return codes
        names = pa.table(
            {
                "provider": pa.array([name[0] for name in missing], pa.string()),
                "model": pa.array([name[1] for name in missing], pa.string()),
            }
        )
        for provider, model, code in connection.execute(
            "SELECT m.provider, m.model, m.code FROM names n"
            " JOIN models m ON m.provider = n.provider AND m.model = n.model"
        ).fetchall():
            codes[provider, model] = code
            self._models.learn((provider, model), code)
        new = [name for name in missing if name not in codes]
        if new:
            rows = pa.table(
                {
                    "code": pa.array([self._models.assign(name) for name in new], pa.int32()),
                    "provider": pa.array([name[0] for name in new], pa.string()),
                    "model": pa.array([name[1] for name in new], pa.string()),
                }
            )
            connection.execute("INSERT INTO models SELECT * FROM rows")
            codes.update(zip(new, rows.column("code").to_pylist(), strict=True))
            del rows
        del names
        return codes

    def entities(
        self, connection: duckdb.DuckDBPyConnection, wanted: set[EntityName]
    ) -> dict[EntityName, int]:
        """The codes of (account, type, id) triples; new ones are inserted."""
        codes, missing = self._entities.known(wanted)
        if not missing:
            return codes
        names = _entity_table(missing)
        for account, entity_type, entity_id, code in connection.execute(
            "SELECT e.account, e.entity_type, e.entity_id, e.code FROM names n"
            " JOIN entities e ON e.text_hash = n.text_hash AND e.account = n.account"
            " AND e.entity_type = n.entity_type AND e.entity_id = n.entity_id"
        ).fetchall():
            codes[account, entity_type, entity_id] = code
            self._entities.learn((account, entity_type, entity_id), code)
        new = [name for name in missing if name not in codes]
        if new:
            assigned = [self._entities.assign(name) for name in new]
            rows = _entity_table(new).append_column("code", pa.array(assigned, pa.int32()))
            connection.execute("INSERT INTO entities BY NAME SELECT * FROM rows")
            codes.update(zip(new, assigned, strict=True))
            del rows
        del names
        return codes

    def tag_sets(
        self, connection: duckdb.DuckDBPyConnection, wanted: set[TagSetName]
    ) -> dict[TagSetName, int]:
        """The codes of (account, canonical JSON) pairs; those not in memory get a fresh one."""
        codes, missing = self._tag_sets.known(wanted)
        if missing:
            assigned = [self._tag_sets.assign(name) for name in missing]
            rows = pa.table(
                {
                    "code": pa.array(assigned, pa.int32()),
                    "account": pa.array([name[0] for name in missing], pa.int32()),
                    "tags": pa.array([name[1] for name in missing], pa.string()),
                }
            )
            connection.execute("INSERT INTO tag_sets SELECT * FROM rows")
            codes.update(zip(missing, assigned, strict=True))
            del rows
        return codes


def _entity_table(names: list[EntityName]) -> pa.Table:
    return pa.table(
        {
            "account": pa.array([name[0] for name in names], pa.int32()),
            "text_hash": pa.array([entity_hash(*name) for name in names], pa.uint64()),
            "entity_type": pa.array([name[1] for name in names], pa.string()),
            "entity_id": pa.array([name[2] for name in names], pa.string()),
        }
    )
