"""JSON on the wire: exact money, exact times, errors with a path."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.errors import InvalidRequest
from infraprism_server.http.pagination import decode_cursor, encode_cursor, offset_from, page_of
from infraprism_server.http.wire import Dollars, Instant, decode_body, encode


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (0, b"0"),
        (1, b"0.000000000001"),
        (5_375_000_000, b"0.005375"),
        (412_300_000_000_000, b"412.3"),
        (-1_500_000_000_000, b"-1.5"),
        (10**24, b"1000000000000"),
    ],
)
def test_money_is_plain_digits(pico: int, text: bytes) -> None:
    assert encode(Dollars(pico)) == text


@given(st.integers(-(10**30), 10**30))
def test_money_survives_json_exactly(pico: int) -> None:
    with localcontext(prec=60):
        assert json.loads(encode(Dollars(pico)), parse_float=Decimal) * 10**12 == pico


def test_times_have_microseconds_only_when_they_are_not_zero() -> None:
    assert encode(Instant(1_736_937_000_000_000)) == b'"2025-01-15T10:30:00Z"'
    assert encode(Instant(1_736_937_000_000_001)) == b'"2025-01-15T10:30:00.000001Z"'


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    n: int


class Body(msgspec.Struct, forbid_unknown_fields=True):
    items: list[Inner]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"items":[{"n":1},{"n":"x"}]}', "items[1].n"),
        (b'{"items":[{"m":1}]}', "items[0].m"),
        (b'{"items":[{}]}', "items[0].n"),
        (b"{}", "items"),
        (b"7", None),
    ],
)
def test_a_wrong_body_names_the_path(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_body(body, Body)
    assert caught.value.param == param


@given(st.integers(0, 10**6))
def test_cursors_come_back_as_they_were(position: int) -> None:
    assert decode_cursor(encode_cursor(position), int) == position


@given(st.text(max_size=40))
def test_other_text_is_no_cursor(text: str) -> None:
    try:
        offset_from(text, 0)
    except InvalidRequest as error:
        assert error.param == "cursor"


def test_the_last_page_has_no_more() -> None:
    assert page_of(250, 100, 200, 50).has_more is False
    more = page_of(250, 100, 100, 100)
    assert more.has_more
    assert more.next_cursor is not None
    assert offset_from(more.next_cursor, 0) == 200
