"""The rules of an account's fields and plans."""

from __future__ import annotations

from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infraprism_server.accounts.account import (
    checked_email,
    checked_name,
    checked_retention,
    checked_timezone,
)
from infraprism_server.accounts.plan import check_plan, requests_per_minute
from infraprism_server.errors import InvalidRequest


@pytest.mark.parametrize(
    "text",
    ["ops@example.com", "a.b+c@mail.example.co.uk", "admin@localhost", "jürgen@exämple.de"],
)
def test_addresses_people_have(text: str) -> None:
    assert checked_email(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "@example.com",
        "ops@",
        "ops@@example.com",
        "a b@example.com",
        "ops@example..com",
        "ops@.com",
        "ops@example.com.",
        "ops@exa mple.com",
        "o\x00ps@example.com",
        "ops@example.com\nBcc: x@y",
        "x" * 65 + "@example.com",
        "ops@" + "x" * 260,
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_email(text)
    assert caught.value.param == "email"


def test_names_are_one_line_of_200_characters_at_most() -> None:
    assert checked_name(" Ann & Söhne 東京 👩‍💻 ", "name") == "Ann & Söhne 東京 👩‍💻"
    assert checked_name("x" * 200, "name") == "x" * 200
    assert checked_name("  ", "company", may_be_empty=True) == ""


@pytest.mark.parametrize(
    "text", ["", "   ", "x" * 201, "a\nb", "a\x1b[31mb", "a\u2028b", "a\ud800b"]
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_name(text, "name")
    assert caught.value.param == "name"


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_time_zones_there_are(name: str) -> None:
    assert ZoneInfo(checked_timezone(name)).key == name


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../etc/passwd", "America", "localtime", "europe/berlin", "x" * 99]
)
def test_time_zones_there_are_not(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_timezone(name)
    assert caught.value.param == "timezone"


def test_a_mistyped_time_zone_answers_with_what_to_type() -> None:
    with pytest.raises(InvalidRequest, match="use Europe/Berlin"):
        checked_timezone("europe/Berln")


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_no_text_breaks_the_look_up_of_time_zones(name: str) -> None:
    with suppress(InvalidRequest):
        ZoneInfo(checked_timezone(name))


@pytest.mark.parametrize("days", [None, 1, 36_500])
def test_retention_within_bounds(days: int | None) -> None:
    assert checked_retention(days) == days


@pytest.mark.parametrize("days", [0, -1, 36_501])
def test_retention_beyond_bounds(days: int) -> None:
    with pytest.raises(InvalidRequest, match="1 to 36500"):
        checked_retention(days)


@pytest.mark.parametrize(
    ("plan", "own_rate", "per_minute"),
    [("free", None, 60), ("growth", None, 300), ("scale", None, 1_000), ("enterprise", 7, 7)],
)
def test_each_plan_has_the_rate_of_the_contract(
    plan: str, own_rate: int | None, per_minute: int
) -> None:
    check_plan(plan, own_rate)
    assert requests_per_minute(plan, own_rate) == per_minute


@pytest.mark.parametrize(
    ("plan", "own_rate", "words"),
    [
        ("gold", None, "use one of free, growth, scale, enterprise"),
        ("enterprise", None, "add --rate-limit N"),
        ("enterprise", 0, "from 1 to"),
        ("growth", 500, "growth allows 300"),
    ],
)
def test_a_plan_that_does_not_fit_answers_with_what_to_type(
    plan: str, own_rate: int | None, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        check_plan(plan, own_rate)
