"""Limits over real stores: told once, in every case that could ring twice or never."""

from __future__ import annotations

import threading
from decimal import Decimal

import msgspec
import pytest

from infraprism_server.clock import iso_utc
from infraprism_server.errors import Conflict, InvalidRequest, NotFound
from infraprism_server.event_store.contract import CostChange
from infraprism_server.http.idempotency import IdempotentRequest
from infraprism_server.limits.schemas import CreateLimit

APPROACHING, REACHED = "limit.approaching", "limit.reached"


def test_each_threshold_is_told_once_as_spending_passes_it(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, approaching=[0.5, 0.8])
    setting.post(ann, 0.4)
    assert setting.told() == []
    setting.post(ann, 0.1)
    ((kind, data),) = setting.told()
    assert kind == APPROACHING
    assert data == {
        "limit_id": limit_id,
        "entity_type": "customer",
        "entity_id": "acme",
        "metric": "cost_usd",
        "amount": 1,
        "spent": 0.5,
        "period_start": "2026-03-01T00:00:00Z",
        "resets_at": "2026-03-02T00:00:00Z",
        "threshold": 0.5,
        "action": "notify",
        "unpriced_events": 0,
    }
    setting.post(ann, 0.6)
    assert setting.kinds() == [APPROACHING, REACHED]
    setting.post(ann, 5, 5)
    assert setting.told() == []
    got = setting.get(ann, limit_id)
    assert (got["spent"], got["remaining"], got["state"]) == (11.1, 0, "reached")


def test_a_new_period_starts_anew_and_rings_anew(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, approaching=[])
    setting.post(ann, 1)
    assert setting.kinds() == [REACHED]
    setting.later(days=1)
    assert setting.get(ann, limit_id)["spent"] == 0
    setting.post(ann, 1)
    assert setting.kinds() == [REACHED]


def test_who_passed_everything_last_month_rings_again_this_month(setting) -> None:
    """Mid-month no other month rings: only the month's beginning gives room again."""
    ann = setting.account()
    setting.later(days=14)
    setting.limit(ann, period="month", approaching=[])
    setting.post(ann, 5)
    assert setting.kinds() == [REACHED]
    setting.later(days=31)
    setting.post(ann, 0.9)
    assert setting.told() == []
    setting.post(ann, 0.1)
    assert setting.kinds() == [REACHED]


@pytest.mark.parametrize("period", ["hour", "day", "week", "month", "total"])
def test_every_kind_of_period_rings(setting, period: str) -> None:
    ann = setting.account()
    setting.limit(ann, period=period, approaching=[])
    setting.post(ann, 0.9)
    assert setting.told() == []
    setting.post(ann, 0.1)
    assert setting.kinds() == [REACHED]


@pytest.mark.parametrize(
    ("metric", "amount", "spent"), [("requests", 3, 3), ("tokens", 45, 45), ("cost_usd", 0.3, 0.3)]
)
def test_metrics_count_failed_calls_and_both_kinds_of_tokens(
    setting, metric: str, amount: float, spent: float
) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, metric=metric, amount=amount, approaching=[])
    for _ in range(3):
        setting.post(ann, 0.1, input_tokens=10, output_tokens=5, success=False)
    assert setting.get(ann, limit_id)["spent"] == spent
    assert setting.kinds() == [REACHED]


def test_a_limit_for_each_entity_counts_each_on_its_own(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, entity_id="*", approaching=[])
    for name in ("a", "b", "c"):
        setting.post(ann, 0.6, entity_id=name)
    assert setting.told() == []
    setting.post(ann, 0.6, entity_id="b")
    assert [data["entity_id"] for _, data in setting.told()] == ["b"]
    got = setting.get(ann, limit_id)
    assert (got["spent"], got["highest_entity_id"], got["entities_reached"]) == (1.2, "b", 1)
    setting.post(ann, 1, entity_id="d", hours=-30)
    assert [data["entity_id"] for _, data in setting.told()] == ["d"]


def test_an_entity_named_like_the_wildcard_rings_once(setting) -> None:
    ann = setting.account()
    setting.limit(ann, entity_id="*", approaching=[])
    setting.post(ann, 2, entity_id="*")
    assert setting.kinds() == [REACHED]


def test_a_limit_made_late_knows_what_was_spent_and_rings_at_once(setting) -> None:
    ann = setting.account()
    setting.post(ann, 0.5, 0.7)
    setting.post(ann, 3, hours=-24)
    limit_id = setting.limit(ann, approaching=[])
    assert setting.get(ann, limit_id)["spent"] == 1.2
    days = [data["period_start"] for _, data in setting.told()]
    assert days == ["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"]


def test_late_events_move_spent_and_ring_for_48_hours(setting) -> None:
    """The day before yesterday ended 36 hours ago; the one before it 60 hours ago."""
    ann = setting.account()
    setting.limit(ann, approaching=[])
    setting.post(ann, 2, hours=-48)
    assert [data["period_start"] for _, data in setting.told()] == ["2026-02-27T00:00:00Z"]
    setting.post(ann, 2, hours=-72)
    setting.post(ann, 2, hours=-24 * 300)
    assert setting.told() == []


def test_imported_history_changes_state_and_rings_no_bell(setting) -> None:
    ann = setting.account()
    setting.limit(ann, period="month", approaching=[])
    setting.post(ann, *[1.0] * 50, hours=-24 * 40)
    assert setting.told() == []


def test_an_event_ahead_of_its_period_rings_when_the_period_begins(setting) -> None:
    ann = setting.account()
    setting.limit(ann, approaching=[], action="block")
    setting.post(ann, 2, hours=20)
    assert setting.told() == []
    assert setting.status(ann)["status"] == "allow"
    setting.later(hours=13)
    assert setting.kinds() == [REACHED]
    assert setting.status(ann)["status"] == "block"


def test_a_restart_neither_forgets_nor_repeats(setting) -> None:
    """Stored and not yet told: told by the next process. Told: not again."""
    ann = setting.account()
    limit_id = setting.limit(ann, approaching=[])
    setting.post(ann, 2)
    setting.start()
    assert setting.get(ann, limit_id)["spent"] == 2
    assert setting.kinds() == [REACHED]
    setting.start()
    setting.post(ann, 2)
    assert setting.told() == []
    assert setting.get(ann, limit_id)["spent"] == 4


def test_two_processes_that_see_one_crossing_tell_it_once(setting) -> None:
    ann = setting.account()
    setting.limit(ann, approaching=[])
    first = setting.watch
    setting.start()
    setting.post(ann, 2)
    threads = [threading.Thread(target=each.ring) for each in (first, setting.watch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert setting.kinds() == [REACHED]


def test_repricing_moves_spent_and_may_ring(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, approaching=[])
    setting.post(ann, 0, id="call", model="no-such-model")
    assert setting.told() == []
    change = CostChange("call", 3 * 10**12, "computed", None, 1)
    assert setting.store.reprice(ann, [change]).result(10) == 1
    assert setting.ledger.take_stale() == {ann}
    setting.watch.sweep([ann])
    assert setting.get(ann, limit_id)["spent"] == 3
    assert setting.kinds() == [REACHED]


def test_unpriced_calls_are_shown_beside_spent(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, approaching=[], action="block")
    calls = {"model": "no-such-model", "input_tokens": 5, "cost_usd": None}
    setting.post(ann, 0, 0, **calls)
    assert setting.get(ann, limit_id)["unpriced_events"] == 2
    assert setting.status(ann)["unpriced_events"] == 2
    setting.start()
    assert setting.get(ann, limit_id)["unpriced_events"] == 2


def test_editing_looks_again_at_once_and_a_known_amount_is_not_told_again(
    setting,
) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, amount=10, approaching=[])
    setting.post(ann, 4)
    assert setting.told() == []
    assert setting.change(ann, limit_id, amount=3)["state"] == "reached"
    assert setting.kinds() == [REACHED]
    assert setting.change(ann, limit_id, amount=10)["state"] == "ok"
    setting.change(ann, limit_id, amount=3)
    assert setting.told() == [], "that amount was told in this period"
    setting.change(ann, limit_id, amount=2)
    assert setting.kinds() == [REACHED]


def test_another_period_counts_from_its_own_start(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, amount=10, approaching=[])
    setting.post(ann, 4)
    setting.post(ann, 8, hours=-5 * 24)
    assert setting.change(ann, limit_id, period="week")["spent"] == 12
    assert setting.change(ann, limit_id, timezone="Asia/Tokyo", period="day")["spent"] == 4


def test_the_zone_decides_which_day_it_is(setting) -> None:
    """At noon UTC a day of Auckland is an hour old."""
    ann = setting.account()
    limit_id = setting.limit(ann, timezone="Pacific/Auckland", amount=5)
    setting.post(ann, 1, hours=-2)
    setting.post(ann, 2, hours=-0.5)
    got = setting.get(ann, limit_id)
    assert (got["spent"], got["period_start"]) == (2, "2026-03-01T11:00:00Z")


def test_block_is_told_to_callers_and_ends_with_the_period(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, action="block", approaching=[])
    first = setting.limits.blocked_since(ann, None)
    assert (first.data, first.complete) == ([], True)
    assert setting.post(ann, 0.5).blocked == []
    (blocked,) = setting.post(ann, 0.5).blocked
    assert (blocked.entity_id, blocked.limit_id) == ("acme", limit_id)
    assert setting.post(ann, 1, entity_id="other").blocked == []
    status = setting.status(ann)
    assert (status["status"], status["limit_id"], status["remaining"]) == ("block", limit_id, 0)
    assert status["resets_at"] == "2026-03-02T00:00:00Z"
    second = setting.limits.blocked_since(ann, iso_utc(first.as_of.us))
    assert [(each.entity_id, each.blocked) for each in second.data] == [("acme", True)]
    setting.later(days=1)
    third = setting.limits.blocked_since(ann, iso_utc(second.as_of.us))
    assert [(each.entity_id, each.blocked) for each in third.data] == [("acme", False)]
    assert not third.complete
    assert setting.status(ann)["status"] == "allow"


def test_deleting_or_raising_a_limit_frees_at_once(setting) -> None:
    ann = setting.account()
    limit_id = setting.limit(ann, action="block")
    setting.post(ann, 2)
    since = iso_utc(setting.limits.blocked_since(ann, None).as_of.us)
    setting.change(ann, limit_id, amount=5)
    assert setting.status(ann)["status"] == "allow"
    setting.change(ann, limit_id, amount=1)
    assert setting.status(ann)["status"] == "block"
    setting.limits.delete(ann, limit_id)
    assert setting.status(ann)["status"] == "allow"
    assert [each.blocked for each in setting.limits.blocked_since(ann, since).data] == [False]
    with pytest.raises(NotFound):
        setting.limits.get(ann, limit_id)


def test_of_several_limits_the_one_that_blocks_longest_decides_else_the_tightest(
    setting,
) -> None:
    ann = setting.account()
    setting.limit(ann, amount=10, entity_id="*")
    tight = setting.limit(ann, amount=4, period="month")
    setting.post(ann, 2)
    assert setting.status(ann)["limit_id"] == tight
    day = setting.limit(ann, amount=2, action="block")
    assert setting.status(ann)["limit_id"] == day
    week = setting.limit(ann, amount=1, action="block", period="month")
    assert setting.status(ann)["limit_id"] == week


def test_an_account_sees_and_counts_nothing_of_another(setting) -> None:
    ann, bob = setting.account(), setting.account()
    limit_id = setting.limit(ann, action="block", approaching=[])
    setting.post(bob, 5)
    assert setting.told() == []
    assert setting.status(bob)["limit_id"] is None
    for call in (setting.limits.get, setting.limits.delete):
        with pytest.raises(NotFound):
            call(bob, limit_id)
    with pytest.raises(NotFound):
        setting.change(bob, limit_id, amount=9)
    assert setting.limits.page(bob, 10, 0, None).total == 0


def test_an_idempotency_key_makes_one_limit(setting) -> None:
    ann = setting.account()
    new = CreateLimit(
        entity_type="customer",
        entity_id="acme",
        metric="requests",
        amount=msgspec.Raw(b"5"),
        period="day",
    )
    claim = IdempotentRequest("k", "POST /v1/limits", b"hash")
    assert setting.limits.create(ann, new, claim) == setting.limits.create(ann, new, claim)
    assert setting.limits.page(ann, 10, 0, None).total == 1
    assert setting.ledger.count() == 1
    with pytest.raises(Conflict):
        setting.limits.create(ann, new, IdempotentRequest("k", "POST /v1/limits", b"other"))
    assert setting.ledger.count() == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": Decimal("1e-13")}, "amount"),
        ({"amount": Decimal("1e30")}, "amount"),
        ({"metric": "tokens", "amount": Decimal("1.5")}, "amount"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"entity_id": ".."}, "entity_id"),
        ({"entity_id": "a\nb"}, "entity_id"),
        ({"approaching": [0.5, 1]}, "approaching[1]"),
        ({"approaching": [0]}, "approaching[0]"),
        ({"approaching": [Decimal("0.1234567")]}, "approaching[0]"),
    ],
)
def test_bad_fields_are_named(setting, fields: dict[str, object], param: str) -> None:
    ann = setting.account()
    with pytest.raises(InvalidRequest) as wrong:
        setting.limit(ann, **fields)
    assert wrong.value.param == param
    assert setting.ledger.count() == 0


def test_what_was_told_long_ago_is_forgotten_and_not_told_again(setting) -> None:
    ann = setting.account()
    setting.limit(ann, approaching=[])
    setting.limit(ann, approaching=[], period="total")
    setting.post(ann, 2)
    assert len(setting.told()) == 2
    setting.later(days=50)
    assert setting.watch.purge() == 1
    setting.start()
    assert setting.told() == []


def test_pages_continue_where_they_ended(setting) -> None:
    ann = setting.account()
    made = [setting.limit(ann, entity_id=f"e{number}") for number in range(5)]
    page = setting.limits.page(ann, 2, 0, None)
    rest = setting.limits.page(ann, 10, 0, page.next_position)
    assert [each.id for each in page.data + rest.data] == made[::-1]
    assert (page.total, rest.next_position) == (5, None)
    named = setting.limits.page(ann, 10, 0, None, entity_type="customer", entity_id="e3")
    assert [each.id for each in named.data] == [made[3]]


def test_lag_is_that_of_the_oldest_commit_nobody_compared(setting) -> None:
    ann = setting.account()
    setting.limit(ann)
    setting.post(ann, 0.1)
    setting.later(seconds=3)
    assert setting.ledger.lag_seconds() == 3
    setting.watch.ring()
    assert setting.ledger.lag_seconds() == 0
