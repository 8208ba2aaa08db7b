"""The events of a batch as columns: an Event is made only when somebody asks for one.

Whoever decodes a batch has its columns in the processor's cache. Packed there, a call takes 150
bytes on its way to the disk instead of a kilobyte of objects, which another thread would have to
fetch one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, overload

import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.repeated import Repeated
from infraprism_server.ids import event_id_from_key, event_keys

COUNT_FIELDS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)
"""Integers of 32 bits: more than 2,147,483,647 tokens in one call are a mistake and refused."""
_INT32_FIELDS: Final = (*COUNT_FIELDS, "latency_ms")
_INT64_FIELDS: Final = ("timestamp_us", "cost_pico", "computed_cost_pico", "rate_id")
_REPEATED_FIELDS: Final = ("service_tier", "error_type", "error_code", "cost_source")

_FIELDS: Final = Event.__struct_fields__
_NAMED: Final = {
    "provider": ("models", 0),
    "model": ("models", 1),
    "entity_type": ("entities", 0),
    "entity_id": ("entities", 1),
}
_TYPES: Final = {
    **dict.fromkeys(_INT32_FIELDS, pa.int32()),
    **dict.fromkeys(_INT64_FIELDS, pa.int64()),
    "session_id": pa.string(),
    "success": pa.bool_(),
}

ModelName = tuple[str, str]
"""Provider and model."""
EntityName = tuple[str | None, str | None]
"""Type and id: both, or neither."""


class EventColumns(Sequence[Event]):
    """Events, all of one account, in the order in which they came. Immutable."""

    __slots__ = ("entities", "keys", "models", "plain", "repeated", "tags", "texts")

    def __init__(self, of: Mapping[str, Any]) -> None:
        """From columns of equal length named as an Event's fields, at least one event.

        `models` may stand for provider and model, `entities` for entity_type and entity_id, a
        Repeated for any texts, and numbers may be numpy's or arrow's.
        pyarrow.ArrowInvalid or OverflowError when a number does not fit its column.
        """
        self.keys, self.texts = event_keys(of["id"])
        """What ids.event_key says of the ids."""
        self.models: Repeated[ModelName] = of.get("models") or Repeated.of(
            tuple(zip(of["provider"], of["model"], strict=True))
        )
        self.entities: Repeated[EntityName] = of.get("entities") or Repeated.of(
            tuple(zip(of["entity_type"], of["entity_id"], strict=True))
        )
        self.tags: Repeated[str | None] = _repeated(of["tags"])
        self.repeated: dict[str, Repeated[Any]] = {
            name: _repeated(of[name]) for name in _REPEATED_FIELDS
        }
        self.plain = {name: _packed(of[name], kind) for name, kind in _TYPES.items()}

    @classmethod
    def of(cls, events: Sequence[Event]) -> EventColumns:
        """Of at least one event; itself when it is one of these."""
        if isinstance(events, cls):
            return events
        columns = zip(*map(astuple, events), strict=True)
        return cls(dict(zip(_FIELDS, columns, strict=True)))

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice) -> list[Event]: ...
    def __getitem__(self, place: int | slice) -> Event | list[Event]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        provider, model = self.models.at(place)
        entity_type, entity_id = self.entities.at(place)
        return Event(
            id=event_id_from_key(self.keys[place], self.texts[place]),
            provider=provider,
            model=model,
            entity_type=entity_type,
            entity_id=entity_id,
            tags=self.tags.at(place),
            **{name: column.at(place) for name, column in self.repeated.items()},
            **{name: column[place].as_py() for name, column in self.plain.items()},
        )

    def __iter__(self) -> Iterator[Event]:
        return map(Event, *(self.values(name) for name in _FIELDS))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def take(self, places: Sequence[int]) -> EventColumns:
        """The events at some places, at least one, and no value that none of them has."""
        events = list(self)
        return EventColumns.of([events[place] for place in places])

    def values(self, name: str) -> Sequence[Any]:
        """A field of every event."""
        if name == "id":
            return list(map(event_id_from_key, self.keys, self.texts))
        if name == "tags":
            return self.tags.expanded()
        if name in self.repeated:
            return self.repeated[name].expanded()
        if name in _NAMED:
            column, part = _NAMED[name]
            return [pair[part] for pair in getattr(self, column).expanded()]
        values: list[Any] = self.plain[name].to_pylist()
        return values


def values_of(events: Sequence[Event], *names: str) -> list[Sequence[Any]]:
    """Some fields of events, column by column."""
    if isinstance(events, EventColumns):
        return [events.values(name) for name in names]
    return [[getattr(event, name) for event in events] for name in names]


def entities_of(events: Sequence[Event]) -> Collection[EntityName]:
    """The entities of events, each once; (None, None) for events without one."""
    if isinstance(events, EventColumns):
        return events.entities.values
    return set(map(_entity, events))


_entity: Callable[[Event], EntityName] = attrgetter("entity_type", "entity_id")


def _repeated(column: Any) -> Repeated[Any]:  # noqa: ANN401 - see EventColumns
    return column if isinstance(column, Repeated) else Repeated.of(column)


def _packed(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - see EventColumns
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, np.ndarray):
        return pa.array(values, kind)
    # Most details are zero or absent for all calls of a batch, and to find that out and repeat a
    # constant is three times cheaper than to convert each.
    first = values[0]
    if values.count(first) == len(values):
        return pa.repeat(pa.scalar(first, kind), len(values))
    return pa.array(values, kind)
