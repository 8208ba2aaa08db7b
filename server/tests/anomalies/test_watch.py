"""The watch over real stores: found in time, told once, explained, and taught."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import func, select

from infraprism_server.anomalies.schemas import CreatePlanned, PatchSettings
from infraprism_server.anomalies.tasks import anomaly_tasks
from infraprism_server.anomalies.watch import Watch
from infraprism_server.background.worker import Worker
from infraprism_server.clock import MICROSECONDS_PER_HOUR as HOUR
from infraprism_server.control_store.tables import anomalies
from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.event_store.contract import EventStore
from infraprism_server.money import PICO_PER_DOLLAR as DOLLAR


def test_a_spike_is_found_when_its_hour_closes_and_told_once(house) -> None:
    house.habit()
    house.watch.run(house.account)
    assert house.found() == []
    house.spend({house.hour: 20 * DOLLAR + 7}, tags='{"feature":"chat"}', model="gpt-5")
    house.next_hour()
    (one,) = house.found()
    assert (one.entity_type, one.entity_id, one.status) == ("customer", "acme", "open")
    assert one.actual_usd.pico == 20 * DOLLAR + 7
    assert one.actual_usd.pico - one.expected_usd.pico == one.impact_usd.pico
    assert one.lower_usd.pico <= one.expected_usd.pico < one.upper_usd.pico < one.actual_usd.pico
    assert {(c.dimension, c.value) for c in one.contributors} == {
        ("model", "gpt-5"),
        ("tags[feature]", "chat"),
    }
    assert len(one.comparable) >= 20
    assert one.text.startswith("customer acme spent $20.00 in the hour until 2026-03-01 13:00 UTC")
    (told,) = house.told()
    assert told["id"] == one.id
    assert Decimal(str(told["actual_usd"])) == Decimal("20.000000000007")
    house.watch.run(house.account)
    house.next_hour(3)
    assert len(house.told()) == 1


def test_the_open_hour_alerts_early(house) -> None:
    house.habit()
    house.watch.run(house.account)
    house.spend({house.hour: 50 * DOLLAR})
    house.clock.advance(timedelta(minutes=20))
    house.watch.run(house.account)
    assert [one["entity_id"] for one in house.told()] == ["acme"]


def test_an_open_hour_is_read_again_only_after_something_came(house) -> None:
    """Thousands of accounts that sleep cost nothing between two full hours."""
    house.habit()
    reads = _Reads(house.store)
    watch = Watch(house.engine, reads, house.accounts, house.clock)
    watch.run(house.account)
    first = len(reads.asked)
    assert first > 0
    for _ in range(2):
        house.clock.advance(timedelta(minutes=16))
        watch.run(house.account)
    assert len(reads.asked) == first
    house.spend({house.hour: 50 * DOLLAR})
    watch.run(house.account)
    assert len(reads.asked) > first
    assert [one["entity_id"] for one in house.told()] == ["acme"]


def test_an_account_that_was_empty_is_judged_as_soon_as_it_has_something(house) -> None:
    """Who has just begun, or brings what is old, does not wait for a quarter of an hour."""
    house.watch.run(house.account)
    house.clock.advance(timedelta(seconds=1))
    house.habit()
    house.spend({house.hour: 50 * DOLLAR})
    house.watch.run(house.account)
    assert [one["entity_id"] for one in house.told()] == ["acme"]


class _Reads:
    """A store that remembers what it was asked."""

    def __init__(self, store: EventStore) -> None:
        self.asked: list[str] = []
        self._store = store

    def __getattr__(self, name: str) -> object:
        if name != "listen":
            self.asked.append(name)
        return getattr(self._store, name)


def test_an_episode_grows_and_is_resolved_after_a_quiet_day(house) -> None:
    house.habit()
    start = house.hour
    for _ in range(4):
        house.spend({house.hour: 30 * DOLLAR})
        house.next_hour()
    (one,) = house.found()
    assert one.episode.start.us == start * HOUR
    assert one.episode.end.us == (start + 4) * HOUR
    house.quiet(25)
    (one,) = house.found()
    assert (one.status, one.ongoing) == ("resolved", False)
    assert len(house.told()) == 1


def test_a_return_that_is_not_four_times_the_money_is_not_told_again(house) -> None:
    """Of who works now and then an hour's band is but some calls wide: any busy hour is many times
    as far out of it as the day that was told was out of its own."""
    hours = range(house.hour - 35 * 24, house.hour)
    house.spend(dict.fromkeys(hours, 0), "batch")
    house.spend(dict.fromkeys(hours[:-24:50], 11 * DOLLAR), "batch")

    def spends(dollars: int) -> None:
        house.spend({house.hour: dollars * DOLLAR}, "batch")
        house.next_hour()

    def told() -> list[str]:
        return [one["id"] for one in house.told() if one["entity_id"] == "batch"]

    def a_day_passes() -> None:
        house.clock.advance(timedelta(hours=30))
        house.watch.run(house.account)
        assert not any(one.ongoing for one in house.found(entity_type="customer"))

    for _ in range(6):
        spends(5)
    (first,) = house.found(entity_type="customer")
    assert told() == [first.id]
    a_day_passes()
    spends(36)
    (same,) = house.found(entity_type="customer")
    assert told() == [same.id] == [first.id]
    assert same.episode.end.us == house.hour * HOUR  # it is not told, and part of the story
    assert first.impact_usd.pico < same.impact_usd.pico < 4 * first.impact_usd.pico
    a_day_passes()
    spends(1_000)
    assert len(told()) == 2


def test_late_events_are_judged(house) -> None:
    """What arrives hours later for a closed hour is found at the next run."""
    house.habit()
    late = house.hour
    for _ in range(3):
        house.spend({house.hour: DOLLAR})
        house.next_hour()
    assert house.found() == []
    house.spend({late: 40 * DOLLAR})
    house.spend({house.hour: DOLLAR})
    house.next_hour()
    (one,) = house.found()
    assert one.window.start.us == late * HOUR


def test_small_amounts_and_sleeping_settings(house) -> None:
    house.habit("small", pico=DOLLAR // 1000)
    house.spend({house.hour: DOLLAR // 2}, "small")
    house.next_hour()
    assert house.found() == []  # far above its band, below a dollar
    house.service.change_settings(
        house.account, PatchSettings(minimum_impact_usd=msgspec.Raw(b"0.1"))
    )
    house.spend({house.hour: DOLLAR}, "small")
    house.service.change_settings(house.account, PatchSettings(snoozed_until="2026-03-02"))
    house.next_hour()
    assert [one.entity_id for one in house.found()] == ["small"]
    assert house.told() == []


def test_unwatched_types_are_not_judged(house) -> None:
    house.habit()
    house.habit("calm", pico=3_000 * DOLLAR)
    house.service.change_settings(house.account, PatchSettings(watched_types=["team"]))
    house.spend({house.hour: 50 * DOLLAR})
    house.spend({house.hour: 3_000 * DOLLAR}, "calm")
    house.next_hour()
    assert house.found() == []


def test_the_total_is_a_series_of_its_own(house) -> None:
    """Many small rises, each below the gate, are one big one of the account."""
    for number in range(12):
        house.habit(f"c{number}", days=21, pico=DOLLAR // 20)
    for number in range(12):
        house.spend({house.hour: DOLLAR * 9 // 10}, f"c{number}")
    house.next_hour()
    assert [(one.entity_type, one.entity_id) for one in house.found()] == [(None, None)]
    assert "The account as a whole" in house.found()[0].text


def test_planned_activity_is_no_anomaly(house) -> None:
    house.habit()
    new = CreatePlanned(
        start_date="2026-03-01", end_date="2026-03-01", entity_type="customer", entity_id="acme"
    )
    made = msgspec.json.decode(house.service.plan(house.account, new, None))
    house.spend({house.hour: 50 * DOLLAR})
    house.next_hour()
    assert [one.entity_id for one in house.found() if one.entity_id == "acme"] == []
    house.service.delete_planned(house.account, made["id"])
    house.spend({house.hour: 50 * DOLLAR})
    house.next_hour()
    assert "acme" in [one.entity_id for one in house.found()]


def test_expected_teaches(house) -> None:
    """A job that runs every day at noon: marked as expected once or twice, it is usual."""
    house.habit()
    told = []
    for _ in range(6):
        house.spend({house.hour: 15 * DOLLAR})
        house.next_hour()
        told.append(len(house.told()))
        for one in house.found(status="open"):
            house.service.mark(house.account, one.id, "expected")
        house.quiet(23)
    assert told[0] == 1
    assert told[-1] == 1


def test_a_repeated_judgement_changes_nothing(house) -> None:
    house.habit()
    house.spend({house.hour: 30 * DOLLAR})
    house.next_hour()
    before = house.found()
    assert house.watch.judge(house.account, [house.hour - 1, house.hour]) == 0
    assert msgspec.json.encode(len(before)) == msgspec.json.encode(len(house.found()))
    assert before[0].id == house.found()[0].id


def test_history_that_is_backfilled_rings_no_bell(house) -> None:
    house.habit()
    old = house.hour - 24 * 5
    house.spend({old: 60 * DOLLAR})
    job = house.service.start_backfill(house.account, (old - 2) * HOUR)
    Worker(house.jobs, anomaly_tasks(house.watch)).run_due()
    done, progress = house.service.get_backfill(house.account, job.id)
    assert done.status == "completed", done.error
    assert progress.hours_done == progress.hours_total == 122
    assert progress.found == 1
    assert [one.window.start.us for one in house.found()] == [old * HOUR]
    assert house.told() == []
    with pytest.raises(InvalidRequest, match="366 days"):
        house.service.start_backfill(house.account, house.clock.now_us() + 1)


def test_a_backfill_finds_what_was_long_before_an_anomaly_that_is_known(house) -> None:
    """And leaves that one as it was told, though the old one was worse."""

    def listed() -> dict[int, tuple[str, str, str, int]]:
        return {
            one.window.start.us // HOUR: (one.id, one.status, one.text, one.episode.end.us)
            for one in house.found(entity_type="customer")
        }

    house.habit(days=70)
    house.watch.run(house.account)
    old = house.hour - 24 * 10
    house.spend({old: 60 * DOLLAR})
    house.spend({house.hour: 30 * DOLLAR})
    house.next_hour()
    ((hour, known),) = listed().items()
    job = house.service.start_backfill(house.account, (old - 2) * HOUR)
    worker = Worker(house.jobs, anomaly_tasks(house.watch))
    worker.run_due()
    assert house.service.get_backfill(house.account, job.id)[0].status == "completed"
    found = listed()
    assert found.keys() == {old, hour}
    assert found[hour] == known
    assert found[old][1] == "resolved"
    house.service.start_backfill(house.account, (old - 2) * HOUR)
    worker.run_due()
    assert listed() == found
    assert [one["id"] for one in house.told() if one["entity_id"]] == [known[0]]


def test_a_server_that_was_away_catches_up(house) -> None:
    house.habit()
    house.watch.run(house.account)
    spike = house.hour
    house.spend({spike: 30 * DOLLAR})
    house.clock.advance(timedelta(hours=20))
    house.watch.run(house.account)
    assert house.found()[-1].window.start.us == spike * HOUR


def test_nothing_of_another_account(house) -> None:
    house.habit()
    house.spend({house.hour: 30 * DOLLAR})
    house.next_hour()
    (one,) = house.found()
    with pytest.raises(NotFound):
        house.service.get(house.other, one.id)
    with pytest.raises(NotFound):
        house.service.mark(house.other, one.id, "resolved")
    house.watch.run(house.other)
    with house.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(anomalies)).scalar_one() == 1


def test_the_series_of_the_band_for_a_picture(house) -> None:
    house.habit()
    points = house.service.series(
        house.account, "customer", "acme", (house.hour - 48) * HOUR, house.hour * HOUR
    )
    assert len(points) == 48
    for point in points:
        assert point.lower_pico is not None
        assert point.upper_pico is not None
        assert point.lower_pico < point.actual_pico < point.upper_pico
    total = house.service.series(
        house.account, None, None, (house.hour - 48) * HOUR, house.hour * HOUR
    )
    assert [point.actual_pico for point in total] == [point.actual_pico for point in points]
    with pytest.raises(InvalidRequest, match="62 days"):
        house.service.series(house.account, None, None, 0, house.hour * HOUR)


def test_settings_keep_what_is_not_given_and_null_clears(house) -> None:
    changed = house.service.change_settings(
        house.account, PatchSettings(sensitivity="high", watched_types=["team", "team"])
    )
    assert (changed.sensitivity, changed.watched_types) == ("high", ["team"])
    changed = house.service.change_settings(house.account, PatchSettings(watched_types=None))
    assert (changed.sensitivity, changed.watched_types) == ("high", None)
    assert house.service.settings(house.other).sensitivity == "default"
    with pytest.raises(InvalidRequest) as raised:
        house.service.change_settings(house.account, PatchSettings(snoozed_until="soon"))
    assert raised.value.param == "snoozed_until"


def test_the_picture_of_an_anomaly_shows_the_band_its_hours_were_judged_by(house) -> None:
    house.habit()
    start = house.hour
    for _ in range(3):
        house.spend({house.hour: 30 * DOLLAR + 1})
        house.next_hour()
    house.quiet(30)
    (one,) = house.found()
    picture = house.service.picture(house.account, one.id, None, 24)
    assert (picture.id, picture.entity_id) == (one.id, "acme")
    first = min(start, one.window.start.us // HOUR)
    assert [hour.start.us // HOUR for hour in picture.hours] == list(range(first - 72, start + 27))
    odd = [hour for hour in picture.hours if hour.in_episode]
    assert [hour.actual_usd.pico for hour in odd] == [30 * DOLLAR + 1] * 3
    for hour in picture.hours:
        assert (hour.actual_usd.pico > hour.upper_usd.pico) == hour.in_episode
        assert hour.expected_usd.pico < 2 * DOLLAR  # the episode was not learnt from
    longer = house.service.picture(house.account, one.id, 672, 672).hours
    assert longer[0].start.us // HOUR == first - 672
    assert longer[-1].start.us // HOUR == house.hour  # the future is not drawn
    with pytest.raises(NotFound):
        house.service.picture(house.other, one.id, None, 24)


def test_a_week_that_costs_a_third_more_is_told_as_drift(house) -> None:
    """No hour of it is odd: it is 40 % above the four weeks before."""
    house.clock.advance(timedelta(hours=-house.hour % 24))  # to a midnight
    hours = range(house.hour - 24 * 36, house.hour)
    week = house.hour - 168
    house.spend({h: (14 if h >= week else 10) * DOLLAR + h % 3 * DOLLAR // 10 for h in hours})
    house.next_hour()
    house.next_hour(24)
    drift = [one for one in house.found() if one.kind == "drift" and one.entity_id]
    assert [(one.entity_id, one.kind) for one in drift] == [("acme", "drift")]
    assert "than a usual week of the four before" in drift[0].text
    assert len(drift[0].comparable) == 4


def test_a_newcomer_that_costs_more_than_others_first_days_is_told_on_its_first_day(house) -> None:
    for number in range(25):
        first = house.hour - 24 * 20 + number
        house.spend({first + hour: DOLLAR for hour in range(24)}, f"c{number}")
    house.spend({house.hour: 300 * DOLLAR}, "stranger")
    house.next_hour()
    found = [one for one in house.found() if one.entity_id == "stranger"]
    assert [one.kind for one in found] == ["new_entity"]
    assert "its first" in found[0].text
    house.next_hour(3)
    assert len([one for one in house.found() if one.entity_id == "stranger"]) == 1


def test_a_month_start_is_compared_with_the_one_before(house) -> None:
    """Noon of March 1 costs five times as much, as noon of February 1 did: nothing to tell."""
    house.habit(days=35)
    month_before = house.hour - 28 * 24
    house.spend({month_before: 14 * DOLLAR})
    house.spend({house.hour: 15 * DOLLAR})
    house.next_hour()
    assert [one for one in house.found() if one.episode.start.us >= (house.hour - 1) * HOUR] == []
    house.spend({house.hour: 60 * DOLLAR})
    house.next_hour()
    assert [one.entity_id for one in house.found(status="open")][:1] == ["acme"]
