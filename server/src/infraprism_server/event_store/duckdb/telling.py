"""An appender that tells what it committed, in the order of the commits."""

from __future__ import annotations

from collections.abc import Sequence

from infraprism_server.event_store.contract import CostChange, Event, Outcome
from infraprism_server.event_store.duckdb.appending import Appender
from infraprism_server.event_store.duckdb.rows import Part
from infraprism_server.event_store.listening import CommitListener


class TellingAppender(Appender):
    """Calls its listeners on the writer's thread, before anybody is answered."""

    listeners: tuple[CommitListener, ...] = ()

    def append(self, batches: Sequence[Part]) -> list[list[Outcome]]:
        """Store what is new of the batches and tell of it."""
        try:
            outcomes = super().append(batches)
        except BaseException:
            # A commit that failed may be in the log all the same: sums must be read anew.
            for account in {batch.account for batch in batches}:
                self._tell(account, (), ())
            raise
        for batch, outcome in zip(batches, outcomes, strict=True):
            self._tell(batch.account, batch.events, outcome)
        return outcomes

    def reprice(self, account: int, changes: Sequence[CostChange]) -> int:
        """Change costs and tell that they are others now."""
        try:
            return super().reprice(account, changes)
        finally:
            self._tell(account, (), ())

    def _tell(self, account: int, events: Sequence[Event], outcomes: Sequence[Outcome]) -> None:
        for listener in self.listeners:
            listener(account, events, outcomes)
