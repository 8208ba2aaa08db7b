"""What lets an event store last for years: deletion, erasure, getting space back, backups.

The part of the contract that operators stand on (see upkeep/). All of it works beside ingest and
reads, which are exact at any moment of it; what is ended half-way goes on when it is called again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from infraprism_server.event_store.contract import EventFilter

Tell: TypeAlias = Callable[[float], None]
"""Called between two steps with the part that is done (0 to 1). What it raises ends the work."""


class Compacted(msgspec.Struct, frozen=True):
    """What a compaction changed on the disk."""

    bytes_before: int
    bytes_after: int


class BackedUp(msgspec.Struct, frozen=True):
    """What a backup holds."""

    file: str
    """Name of the file in the folder."""
    events: int
    bytes: int


class LastsForYears(Protocol):
    """A store that can let go of events, and of the space they took, and be copied."""

    def delete_events(self, where: EventFilter, tell: Tell) -> int:
        """Delete every event that matches, a bounded part at a time; how many there were.

        Oldest first. Each part is one commit with all sums, durable, and told to listeners as a
        change of costs. An id that was deleted may come again, and counts then.
        """
        ...

    def strip_events(self, where: EventFilter, tell: Tell) -> int:
        """Take tags and session ids from every event that matches; how many had any."""
        ...

    def forget_names(self, account: int, keep: Iterable[tuple[str, str]]) -> int:
        """Drop entities without events, but for those in `keep`, and tag texts without events.

        How many entities were dropped: they are not listed any more, until they are seen again.
        """
        ...

    def rename_entity(
        self, account: int, entity_type: str, entity_id: str, new_id: str
    ) -> Future[bool]:
        """Call an entity otherwise, in all that is stored. False: there is none of that name.

        Conflict when there is one of the new name already.
        """
        ...

    def compact(self, tell: Tell) -> Compacted:
        """Give back the space of what was deleted, by a rewrite beside the running store.

        Unavailable when the disk has no room for both, or the store was changed all the time.
        """
        ...

    def back_up(self, folder: Path, tell: Tell) -> BackedUp:
        """Write what is stored now, as of one moment, to a new file in a folder, durably.

        The file has its name only when it is whole. Unavailable when it can not be written.
        """
        ...
