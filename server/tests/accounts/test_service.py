"""Accounts in a real store: made, found, changed, and seen by another process in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from infraprism_server.accounts.schemas import PatchMe, me_out
from infraprism_server.accounts.service import AccountChanges, AccountService, NewAccount
from infraprism_server.clock import FixedClock
from infraprism_server.errors import Conflict, InfraPrismError, InvalidRequest, NotFound
from infraprism_server.http.wire import decode_body, encode


def test_an_account_looks_like_the_contract_says(cast: Any) -> None:
    me = msgspec.json.decode(encode(me_out(cast.ann)))
    assert me.pop("id").startswith("acc_")
    assert me == {
        "email": "ann@acme.example",
        "name": "Ann",
        "company": "",
        "plan": "growth",
        "created_at": "2026-03-01T12:00:00Z",
        "timezone": "UTC",
        "retention_days": None,
        "rate_limit_per_minute": 300,
    }


def test_an_account_is_found_by_number_id_and_email(cast: Any) -> None:
    ann = cast.ann
    assert cast.accounts.get(ann.number) == ann
    assert cast.accounts.resolve(ann.id) == ann
    assert cast.accounts.resolve(" ANN@acme.example ") == ann
    with pytest.raises(NotFound, match="accounts list"):
        cast.accounts.resolve("nobody@acme.example")
    with pytest.raises(NotFound):
        cast.accounts.get(99)


def test_one_account_for_an_email_whatever_its_case(cast: Any) -> None:
    with pytest.raises(Conflict) as caught:
        cast.accounts.create(NewAccount(email="Ann@ACME.example", name="x"))
    assert caught.value.param == "email"
    with pytest.raises(Conflict):
        cast.accounts.update(cast.bob.number, AccountChanges(email="ann@acme.example"))
    changed = cast.accounts.update(cast.ann.number, AccountChanges(email="ANN@acme.example"))
    assert changed.email == "ANN@acme.example"


def test_parallel_creations_with_one_email_make_one_account(cast: Any) -> None:
    def create(_: int) -> bool:
        try:
            cast.accounts.create(NewAccount(email="new@acme.example", name="x"))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(20))) == 1


def test_accounts_are_listed_oldest_first_in_pages(cast: Any) -> None:
    assert cast.accounts.page(10) == ([cast.ann, cast.bob], 2)
    assert cast.accounts.page(1, 1) == ([cast.bob], 2)
    assert cast.accounts.count() == 2


def test_an_account_changes_what_it_may_and_nothing_else(cast: Any) -> None:
    patch = decode_body(
        b'{"name": "Anna", "timezone": "Europe/Berlin", "retention_days": 90}', PatchMe
    )
    anna = cast.accounts.patch(cast.ann.number, patch)
    assert (anna.name, anna.timezone, anna.retention_days) == ("Anna", "Europe/Berlin", 90)
    assert (anna.company, anna.plan, anna.email) == ("", "growth", "ann@acme.example")
    assert cast.accounts.get(cast.bob.number) == cast.bob
    kept = cast.accounts.patch(cast.ann.number, decode_body(b'{"retention_days":null}', PatchMe))
    assert kept.retention_days is None
    assert kept.name == "Anna"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"plan": "scale"}', "plan"),
        (b'{"email": "x@y"}', "email"),
        (b'{"name": ""}', "name"),
        (b'{"name": null}', "name"),
        (b'{"name": "  "}', "name"),
        (b'{"name": "a\\nb"}', "name"),
        (b'{"company": 5}', "company"),
        (b'{"timezone": "Mars/Olympus"}', "timezone"),
        (b'{"retention_days": 0}', "retention_days"),
        (b'{"retention_days": 36501}', "retention_days"),
        (b'{"retention_days": 1.5}', "retention_days"),
    ],
)
def test_a_bad_change_names_the_field_and_changes_nothing(
    cast: Any, body: bytes, param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        cast.accounts.patch(cast.ann.number, decode_body(body, PatchMe))
    assert caught.value.param == param
    assert cast.accounts.read(cast.ann.number) == cast.ann


def test_what_another_process_changes_is_seen_within_a_second(
    cast: Any, engine: Engine, clock: FixedClock
) -> None:
    other = AccountService(engine, clock)
    assert cast.accounts.get(cast.ann.number).timezone == "UTC"
    other.update(cast.ann.number, AccountChanges(timezone="Asia/Tokyo"))
    clock.advance(timedelta(milliseconds=901))
    assert cast.accounts.get(cast.ann.number).timezone == "Asia/Tokyo"


def test_what_this_process_changes_is_seen_at_once(cast: Any) -> None:
    cast.accounts.get(cast.ann.number)
    cast.accounts.update(cast.ann.number, AccountChanges(name="Anna"))
    assert cast.accounts.get(cast.ann.number).name == "Anna"


def test_a_clock_that_is_set_back_does_not_freeze_what_is_seen(
    cast: Any, engine: Engine, clock: FixedClock
) -> None:
    cast.accounts.get(cast.ann.number)
    AccountService(engine, clock).update(cast.ann.number, AccountChanges(name="Anna"))
    clock.advance(timedelta(hours=-1))
    assert cast.accounts.get(cast.ann.number).name == "Anna"


def test_the_rate_goes_with_the_plan(cast: Any) -> None:
    number = cast.ann.number
    change = cast.accounts.update
    assert (
        change(number, AccountChanges(plan="enterprise", rate_limit_per_minute=5_000))
    ).rate_limit_per_minute == 5_000
    assert change(number, AccountChanges(name="A")).rate_limit_per_minute == 5_000
    assert change(number, AccountChanges(plan="free")).rate_limit_per_minute == 60
    with pytest.raises(InfraPrismError, match="add --rate-limit N"):
        change(number, AccountChanges(plan="enterprise"))
