"""What an event store tells of its commits: the part of the contract that watchers stand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infraprism_server.event_store.contract import Event, Outcome, UsagePage, UsageQuery

CommitListener: TypeAlias = "Callable[[int, Sequence[Event], Sequence[Outcome]], None]"
"""(account, the events of one batch, what became of each). No events: costs were changed."""


class TellsOfCommits(Protocol):
    """A store that tells what it commits, and sums with a known place among the commits."""

    def listen(self, listener: CommitListener) -> None:
        """Call `listener` after every commit of a batch or of a repricing that changed something.

        Before the future is done, on the thread that writes, one commit at a time and in their
        order: it must return at once and never raise. Only what this process commits is told.
        After a write that failed half-way it is told that costs were changed: read sums anew.
        """
        ...

    def usage_between_commits(self, query: UsageQuery, mark: Callable[[], None]) -> UsagePage:
        """`usage`, with a known place among the commits that listeners are told of.

        `mark` is called once on the thread that writes, as listeners are: what they were told
        before it is in the sums, what they are told after it is not. Waits for the writer.
        """
        ...
