"""Query strings: one declaration, and every mistake is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.errors import InvalidRequest
from infraprism_server.events.schemas import ListEventsQuery
from infraprism_server.http.query import parse_query
from infraprism_server.usage.schemas import UsageQueryIn


def test_fields_are_read_with_their_types() -> None:
    query = parse_query(
        b"limit=5&success=false&tags[team]=a%20b&tags[x]=&model=gpt-4o", ListEventsQuery
    )
    assert (query.limit, query.success, query.model) == (5, False, "gpt-4o")
    assert query.tags == {"team": "a b", "x": ""}


def test_lists_are_repeated() -> None:
    query = parse_query(b"group_by=model&group_by=tags[feature]", UsageQueryIn)
    assert query.group_by == ["model", "tags[feature]"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"entitytype=customer", "entitytype"),
        (b"limit=0", "limit"),
        (b"limit=1001", "limit"),
        (b"limit=ten", "limit"),
        (b"limit=", "limit"),
        (b"limit=null", "limit"),
        (b"offset=-1", "offset"),
        (b"offset=1000001", "offset"),
        (b"success=maybe", "success"),
        (b"success=null", "success"),
        (b"model=", "model"),
        (b"model=a&model=b", "model"),
        (b"tags[a]=1&tags[a]=2", "tags[a]"),
        (b"tags=x", "tags"),
        (b"tags[]=x", "tags"),
        (b"model=%ff", "model"),
        (b"model=a%00b", "model"),
        (b"entity_type=Customer", "entity_type"),
        (b"limit[x]=5", "limit[x]"),
    ],
)
def test_mistakes_name_the_parameter(query: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_query(query, ListEventsQuery)
    assert caught.value.param == param


def test_an_unknown_parameter_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"entity_id.*tags\[KEY\]"):
        parse_query(b"customer=acme", ListEventsQuery)


def test_text_that_says_null_is_text() -> None:
    assert parse_query(b"model=null", ListEventsQuery).model == "null"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_query_or_a_named_error(raw: bytes) -> None:
    try:
        parse_query(raw, UsageQueryIn)
    except InvalidRequest as error:
        assert error.message
