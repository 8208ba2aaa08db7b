"""Whom a call is for: nesting, tasks, decorators, and whatever a host passes by mistake."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism import attribute
from infraprism.attribution import NOBODY, Attribution, cleaned, current, noted
from infraprism.keywords import Carrier, given_in, wrapped


def test_inner_blocks_win_and_tags_add_up() -> None:
    with attribute(entity_type="customer", entity_id="acme", tags={"env": "prod", "a": "1"}):
        with attribute(entity_id="ignored without its type", tags={"a": "2"}):
            assert current() == Attribution("customer", "acme", None, {"env": "prod", "a": "2"})
        with attribute(entity_type="team", entity_id="search", session_id="s"):
            now = current()
            assert (now.entity_type, now.entity_id, now.session_id) == ("team", "search", "s")
    assert current() is NOBODY


def test_an_exception_inside_ends_the_attribution() -> None:
    with pytest.raises(ValueError, match="mine"), attribute(entity_type="team", entity_id="x"):
        raise ValueError("mine")
    assert current() is NOBODY


def test_tasks_keep_their_own_attribution() -> None:
    async def one(name: str) -> str | None:
        with attribute(entity_type="customer", entity_id=name):
            await asyncio.sleep(0.001)
            return current().entity_id

    async def all_of_them() -> list[str | None]:
        return await asyncio.gather(*(one(str(number)) for number in range(20)))

    assert asyncio.run(all_of_them()) == [str(number) for number in range(20)]


def test_a_decorated_function_and_coroutine_are_attributed_on_every_call() -> None:
    @attribute(entity_type="customer", entity_id="acme")
    def plain(depth: int) -> str | None:
        return plain(depth - 1) if depth else current().entity_id

    @attribute(entity_type="customer", entity_id="later")
    async def later() -> str | None:
        await asyncio.sleep(0)
        return current().entity_id

    assert plain(3) == "acme"
    assert asyncio.run(later()) == "later"
    assert current() is NOBODY


def test_a_generator_is_refused_because_it_would_leak_into_its_caller() -> None:
    with pytest.raises(TypeError, match="inside a generator"):

        @attribute(entity_type="customer", entity_id="acme")
        def numbers() -> Any:
            yield 1


def test_a_thread_with_a_copied_context_is_attributed() -> None:
    with attribute(entity_type="customer", entity_id="acme"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(copy_context().run, current).result().entity_id == "acme"
        assert pool.submit(current).result() is NOBODY


_anything = st.one_of(
    st.none(),
    st.text(max_size=300),
    st.integers(),
    st.floats(),
    st.binary(max_size=4),
    st.booleans(),
    st.dictionaries(st.text(max_size=80), st.text(max_size=300) | st.integers() | st.none()),
)


@given(_anything, _anything, _anything, _anything)
def test_whatever_is_passed_only_what_the_api_takes_is_kept(a: Any, b: Any, c: Any, d: Any) -> None:
    who = cleaned(a, b, c, d)
    assert (who.entity_type is None) == (who.entity_id is None)
    for text in (who.entity_id, who.session_id, *(who.tags or {}), *(who.tags or {}).values()):
        assert text is None or (len(text) <= 256 and "\n" not in text and "\x00" not in text)
    assert len(who.tags or {}) <= 32


short = (
    st.text(max_size=300) | st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=2)
)


@given(short, short, short, st.dictionaries(short.filter(lambda one: type(one) is not list), short))
def test_what_is_noted_in_a_call_and_cleaned_later_is_what_cleaning_at_once_makes(
    kind: object, who: object, session: object, tags: dict[Any, object]
) -> None:
    at_once = cleaned(kind, who, session, tags)
    given_now = noted(kind, who, session, tags)
    tags.clear()  # the host's own, to do with as it likes
    assert (cleaned(*given_now) if type(given_now) is tuple else given_now) == at_once


def test_only_plain_values_are_kept_as_they_are() -> None:
    for other in (["a question"], {"role": "user"}, b"bytes", object()):
        for given_now in (
            noted("team", other, None, None),
            noted("team", "x", other, None),
            noted("team", "x", None, {"a": other}),
            noted("team", "x", None, dict.fromkeys(range(1_000))),
        ):
            assert isinstance(given_now, Attribution)


def test_tags_that_raise_when_they_are_looked_at_are_no_tags() -> None:
    class Hostile(dict[str, str]):
        def items(self) -> Any:
            raise ValueError("no")

    assert noted("team", "x", None, Hostile(a="b")) is NOBODY


def test_a_carrier_that_became_bytes_still_says_whom_a_call_is_for() -> None:
    carrier = Carrier()
    carrier.given = noted("team", "search", "s", {"a": "b"})
    assert given_in(carrier.encode("ascii")) == Attribution("team", "search", "s", {"a": "b"})


def test_keywords_of_a_connection_that_no_seam_sees_do_not_leave() -> None:
    def connect(_self: object, *, extra_headers: Any = None, websocket_connection_options: Any = 1):  # type: ignore[no-untyped-def]
        return extra_headers

    assert wrapped(connect)(None, entity_type="team", entity_id="search") is None
