"""Usage over a real store: days add up to ranges in every time zone, and groups to totals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from infraprism_server.accounts.service import AccountService, NewAccount
from infraprism_server.clock import FixedClock, from_us
from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.sums import Sums
from infraprism_server.events.service import EventService
from infraprism_server.ids import new_id
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService
from infraprism_server.usage.schemas import UsageQueryIn
from infraprism_server.usage.service import UsageService
from server.tests.stores import open_events

SPRING, AUTUMN = datetime(2025, 3, 30, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


class Setting:
    """A usage service over stores of its own, and a way to put events in."""

    def __init__(self, folder: Path, engine: Engine, clock: FixedClock) -> None:
        self.store = open_events(folder, engine, clock)
        self.accounts = AccountService(engine, clock)
        self.pricing = PricingService(engine, clock, PriceBook(), self.store)
        self.events = EventService(self.store, self.pricing, self.accounts, clock)
        self.usage = UsageService(self.store, self.events, self.accounts, clock)
        self._made = 0

    def account(self) -> int:
        self._made += 1
        new = NewAccount(email=f"a{self._made}@acme.example", name="A")
        return self.accounts.create(new).number

    def post(self, account: int, *calls: dict[str, object]) -> None:
        body = msgspec.json.encode({"events": [{"id": new_id("evt"), **call} for call in calls]})
        pending = self.events.take(account, body, None)
        answer = pending.answer(pending.stored.result(10))
        assert answer.accepted == len(calls), answer

    def sums(self, account: int, **query: object) -> tuple[list[Sums], Sums]:
        page = self.usage.sum(account, UsageQueryIn(limit=1_000, **query), 0).page
        return [row.sums for row in page.rows], page.totals


@pytest.fixture
def setting(data_dir: Path, engine: Engine, clock: FixedClock) -> Iterator[Setting]:
    setting = Setting(data_dir, engine, clock)
    yield setting
    setting.store.close(5)


def call(moment: datetime, tokens: int = 10, model: str = "gpt-4o") -> dict[str, object]:
    return {
        "timestamp": moment.isoformat(),
        "provider": "openai",
        "model": model,
        "input_tokens": tokens,
    }


def added(sums: list[Sums]) -> Sums:
    fields = Sums.__struct_fields__
    return Sums(**{name: sum(getattr(each, name) for each in sums) for name in fields})


around_changes = st.sampled_from([SPRING, AUTUMN]).flatmap(
    lambda change: st.integers(-3 * 86_400, 3 * 86_400).map(
        lambda seconds: from_us(int(change.timestamp()) * 1_000_000 + seconds * 1_000_000)
    )
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(around_changes, min_size=1, max_size=30),
    zone=st.sampled_from(ZONES),
    interval=st.sampled_from(["hour", "day", "week", "month"]),
)
def test_intervals_add_up_to_the_range_over_clock_changes(
    setting: Setting, moments: list[datetime], zone: str, interval: str
) -> None:
    account = setting.account()
    setting.post(account, *(call(moment, tokens) for tokens, moment in enumerate(moments, 1)))
    for start, end in (("2025-10-20", "2025-11-02"), ("2025-03-25", "2025-04-03")):
        dates = {"start_date": start, "end_date": end, "timezone": zone}
        rows, totals = setting.sums(account, interval=interval, **dates)
        whole, same = setting.sums(account, **dates)
        assert added(rows) == totals == same == added(whole)
        where = setting.events.where(account, UsageQueryIn(**dates))
        listed = setting.events.page(where, 1_000, 0, None).events
        assert totals.events == len(listed)
        assert totals.cost_pico == sum(event.cost_pico for event in listed)


def test_single_days_add_up_to_the_range_of_days(setting: Setting) -> None:
    account = setting.account()
    setting.post(
        account, *(call(from_us(1_743_030_000_000_000 + n * 3_600_000_000)) for n in range(120))
    )
    days = [f"2025-03-{day}" for day in range(27, 32)]
    one_by_one = [
        setting.sums(account, start_date=day, end_date=day, timezone="Europe/Berlin")[1]
        for day in days
    ]
    _, together = setting.sums(
        account, start_date=days[0], end_date=days[-1], timezone="Europe/Berlin"
    )
    assert added(one_by_one) == together
    assert [each.events for each in one_by_one][3] == 23


def test_without_groups_every_interval_is_present(setting: Setting) -> None:
    account = setting.account()
    setting.post(account, call(datetime(2026, 2, 3, 12, tzinfo=UTC)))
    rows, _ = setting.sums(account, start_date="2026-02-01", end_date="2026-02-05", interval="day")
    assert [row.events for row in rows] == [0, 0, 1, 0, 0]


def test_an_open_range_covers_everything_there_is(setting: Setting, clock: FixedClock) -> None:
    account = setting.account()
    assert setting.sums(account)[1] == Sums()
    ahead = from_us(clock.now_us() + 3_600_000_000)
    setting.post(account, call(datetime(1999, 1, 1, tzinfo=UTC)), call(ahead))
    assert setting.sums(account)[1].events == 2


def test_unpriced_events_are_counted_beside_the_sum(setting: Setting) -> None:
    account = setting.account()
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    setting.post(account, call(noon), call(noon, model="nobody-knows-this"))
    _, totals = setting.sums(account)
    assert (totals.events, totals.unpriced_events) == (2, 1)


def test_too_many_intervals_are_refused(setting: Setting) -> None:
    account = setting.account()
    with pytest.raises(InvalidRequest) as caught:
        setting.sums(account, start_date="2000-01-01", end_date="2026-01-01", interval="hour")
    assert caught.value.param == "interval"


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59Z"])
def test_the_end_of_the_calendar_is_an_end_like_any_other(setting: Setting, end: str) -> None:
    account = setting.account()
    setting.post(account, call(datetime(2026, 2, 3, 12, tzinfo=UTC)))
    query = {"start_date": "0001-01-01", "end_date": end, "timezone": "Pacific/Kiritimati"}
    assert setting.sums(account, **query)[1].events == 1
