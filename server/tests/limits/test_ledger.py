"""What is kept in memory equals a recomputation, however commits, reads and days interleave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from infraprism_server.clock import MICROSECONDS_PER_HOUR, FixedClock
from infraprism_server.event_store.contract import Event, Outcome
from infraprism_server.limits.blocking import MAX_CHANGES, BlockList, Standing
from infraprism_server.limits.ledger import Ledger, Reading
from infraprism_server.limits.limit import EACH, Entity, Limit, Spent
from infraprism_server.limits.period import PeriodKind
from infraprism_server.limits.tally import BookKey, Row

START = datetime(2026, 10, 24, 21, tzinfo=UTC)
"""The night before the clock goes back in Berlin."""
NAMES = ["a", "b", "c"]
KINDS: list[PeriodKind] = ["hour", "day", "week", "month", "total"]
ZONE = "Europe/Berlin"


def limit(number: int, **fields: object) -> Limit:
    given = {
        "id": f"lim_{number}",
        "account": 1,
        "entity_type": "customer",
        "entity_id": EACH,
        "metric": "cost_usd",
        "amount": 1_000,
        "period": "day",
        "timezone": ZONE,
        "action": "block",
        "approaching": (),
        "created_at_us": 0,
        "updated_at_us": 0,
    }
    return Limit(**(given | fields))


class World:
    """A ledger, and every event there ever was."""

    def __init__(self) -> None:
        self.clock = FixedClock(START)
        self.ledger = Ledger(self.clock)
        self.events: list[Event] = []
        self.reads: list[tuple[Reading, list[Row]]] = []
        for number, kind in enumerate(KINDS):
            self.ledger.put(limit(number, period=kind))
        self.ledger.put(limit(9, entity_id="b", period="day", timezone="UTC"))

    def commit(self, name: str, hours: int, cost: int, outcome: Outcome) -> None:
        event = Event(
            id=str(len(self.events)),
            timestamp_us=self.clock.now_us() + hours * MICROSECONDS_PER_HOUR // 4,
            provider="p",
            model="m",
            input_tokens=cost,
            output_tokens=1,
            entity_type="customer",
            entity_id=name,
            cost_pico=cost,
            cost_source="unpriced" if cost == 0 else "computed",
        )
        if outcome is Outcome.ACCEPTED:
            self.events.append(event)
        self.ledger.committed(1, [event], [outcome])

    def rows(self, edges: tuple[int, ...]) -> list[Row]:
        """The sums of all events, as the event store would have them now."""
        found: dict[tuple[int, str], Spent] = {}
        for event in self.events:
            for start, end in pairwise(edges):
                if start <= event.timestamp_us < end:
                    found.setdefault((start, event.entity_id or ""), Spent()).add(
                        Spent(
                            event.cost_pico,
                            event.input_tokens + event.output_tokens,
                            1,
                            int(event.cost_source == "unpriced"),
                        )
                    )
        return [Row(start, Entity("customer", name), s) for (start, name), s in found.items()]

    def begin(self, kind: PeriodKind) -> None:
        reading = self.ledger.begin(1, BookKey(kind, ZONE), None)
        assert reading is not None
        self.ledger.mark(reading)
        self.reads.append((reading, self.rows(reading.edges)))

    def settle(self) -> None:
        if self.reads:
            self.ledger.settle(*self.reads.pop(0))

    def check(self) -> None:
        with self.ledger.account(1) as mine:
            assert mine is not None
            for key, book in mine.books.items():
                names = ["b"] if key.timezone == "UTC" else NAMES
                rows = {
                    (row.period_start_us, row.entity.id): row.spent
                    for row in self.rows(tuple(book.edges))
                }
                for start in book.edges[:-1]:
                    for name in names:
                        kept = book.spent(Entity("customer", name), start)
                        assert kept == rows.get((start, name), Spent()), (key, name)


steps = st.one_of(
    st.tuples(
        st.just("commit"),
        st.sampled_from(NAMES),
        st.integers(-400, 95),
        st.integers(0, 900),
        st.sampled_from([Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.DUPLICATE]),
    ),
    st.tuples(st.just("begin"), st.sampled_from(KINDS)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("advance"), st.integers(1, 200)),
    st.tuples(st.just("catch_up")),
)


@given(st.lists(steps, max_size=60))
@settings(max_examples=150)
def test_the_tally_is_the_recomputation(script: list[tuple[object, ...]]) -> None:
    world = World()
    for name, *arguments in script:
        if name == "advance":
            world.clock.advance(timedelta(minutes=15 * int(arguments[0])))  # type: ignore[call-overload]
        elif name == "catch_up":
            world.ledger.catch_up()
        else:
            getattr(world, str(name))(*arguments)
    while world.reads:
        world.settle()
    world.check()


def test_accounts_without_limits_cost_nothing() -> None:
    ledger = Ledger(FixedClock(START))
    ledger.committed(7, [Event(id="x", timestamp_us=0, provider="p", model="m")], [Outcome(0)])
    assert (ledger.lag_seconds(), ledger.accounts, ledger.can_block(7)) == (0, [], False)


def test_a_client_that_asks_for_more_than_is_remembered_is_told_everything() -> None:
    blocked = BlockList(0)
    one = Entity("customer", "a")
    standing = Standing(limit(1), one, 5_000, 0, 0, None)
    for now_us in range(MAX_CHANGES + 5):
        blocked.update(one, None if now_us % 2 else standing, now_us + 1)
    everything = blocked.since(None)
    assert everything.complete
    assert blocked.since(2).complete
    assert not blocked.since(everything.as_of_us - 9).complete
    assert blocked.since(everything.as_of_us) == ([], False, everything.as_of_us)
    assert blocked.since(10**9).complete, "a clock that was set back"
