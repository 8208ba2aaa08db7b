"""Idempotency keys on a real store: one object, one answer, for a day (R10)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select

from infraprism_server.clock import FixedClock
from infraprism_server.control_store.tables import entities, idempotency_keys
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.http.idempotency import (
    Created,
    IdempotentRequest,
    idempotency_key_of,
    idempotent_request,
    purge_idempotency_keys,
    run_idempotent,
)

REQUEST = IdempotentRequest("key-1", "POST /v1/things", b"body")


class Things:
    """Creates objects, which are rows of some table, and answers with their number."""

    def __init__(self, engine: Engine, clock: FixedClock, *, secret: bool = False) -> None:
        self.engine = engine
        self.clock = clock
        self.secret = secret

    def post(self, account: int, request: IdempotentRequest = REQUEST) -> Created:
        with self.engine.begin() as connection:
            return run_idempotent(
                connection,
                account,
                request,
                self.clock.now_us(),
                lambda c: self._create(c, account),
            )

    def _create(self, connection: Connection, account: int) -> Created:
        name = f"thing_{self.count(connection)}"
        connection.execute(
            insert(entities).values(
                account=account,
                entity_type="thing",
                entity_id=name,
                metadata="{}",
                updated_at_us=0,
            )
        )
        answer = None if self.secret else f'{{"id":"{name}"}}'.encode()
        return Created(name, 201, answer)

    def count(self, connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(entities)).scalar_one()

    def counted(self) -> int:
        with self.engine.connect() as connection:
            return self.count(connection)


@pytest.fixture
def things(engine: Engine, clock: FixedClock) -> Things:
    return Things(engine, clock)


def test_the_same_request_gets_the_same_answer(cast: Any, things: Things) -> None:
    first = things.post(cast.ann.number)
    again = things.post(cast.ann.number)
    assert not first.replayed
    assert again.replayed
    assert (again.status, again.answer) == (first.status, first.answer) == (201, first.answer)
    assert things.counted() == 1


@pytest.mark.parametrize(
    "request_",
    [
        IdempotentRequest("key-1", "POST /v1/things", b"other body"),
        IdempotentRequest("key-1", "POST /v1/others", b"body"),
    ],
)
def test_the_key_of_another_request_is_a_conflict(
    cast: Any, things: Things, request_: IdempotentRequest
) -> None:
    things.post(cast.ann.number)
    with pytest.raises(Conflict, match="another request") as caught:
        things.post(cast.ann.number, request_)
    assert caught.value.param == "Idempotency-Key"
    assert things.counted() == 1


def test_accounts_do_not_share_keys(cast: Any, things: Things) -> None:
    things.post(cast.ann.number)
    assert not things.post(cast.bob.number).replayed
    assert things.counted() == 2


def test_an_answer_with_a_secret_is_not_stored(
    cast: Any, engine: Engine, clock: FixedClock
) -> None:
    things = Things(engine, clock, secret=True)
    made = things.post(cast.ann.number)
    with pytest.raises(Conflict, match=rf"{made.object_id}.*delete"):
        things.post(cast.ann.number)
    with engine.connect() as connection:
        row = connection.execute(select(idempotency_keys)).mappings().one()
    assert row["answer"] is None
    assert row["holds_secret"]


@pytest.mark.parametrize("secret", [False, True])
def test_a_hundred_parallel_requests_make_one_object(
    cast: Any, engine: Engine, clock: FixedClock, secret: bool
) -> None:
    """R10."""
    things = Things(engine, clock, secret=secret)
    start = Barrier(100)

    def post(_: int) -> str:
        start.wait()
        try:
            return "replay" if things.post(cast.ann.number).replayed else "made"
        except Conflict:
            return "conflict"

    with ThreadPoolExecutor(100) as pool:
        results = list(pool.map(post, range(100)))
    assert results.count("made") == 1
    assert results.count("conflict" if secret else "replay") == 99
    assert things.counted() == 1


def test_a_failed_creation_gives_the_key_back(
    cast: Any, engine: Engine, clock: FixedClock, things: Things
) -> None:
    def fail(_: Connection) -> Created:
        raise InvalidRequest("no")

    with pytest.raises(InvalidRequest), engine.begin() as connection:
        run_idempotent(connection, cast.ann.number, REQUEST, clock.now_us(), fail)
    assert not things.post(cast.ann.number).replayed


def test_a_key_is_kept_for_a_day(cast: Any, clock: FixedClock, things: Things) -> None:
    things.post(cast.ann.number)
    clock.advance(timedelta(hours=24, microseconds=-1))
    assert things.post(cast.ann.number).replayed
    clock.advance(timedelta(microseconds=1))
    assert not things.post(cast.ann.number).replayed
    assert things.counted() == 2


def test_what_is_older_than_a_day_is_forgotten(
    cast: Any, engine: Engine, clock: FixedClock, things: Things
) -> None:
    things.post(cast.ann.number)
    clock.advance(timedelta(hours=23))
    things.post(cast.bob.number)
    clock.advance(timedelta(hours=1))
    with engine.begin() as connection:
        assert purge_idempotency_keys(connection, clock.now_us()) == 1
        assert purge_idempotency_keys(connection, clock.now_us()) == 0


@pytest.mark.parametrize("header", ["a", "x" * 255, "!~"])
def test_a_good_key(header: str) -> None:
    assert idempotency_key_of(header) == header


@pytest.mark.parametrize("header", ["", " ", "x" * 256, "a b", "a\tb", "é", "a\x7f"])
def test_a_bad_key_names_the_header(header: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        idempotency_key_of(header)
    assert caught.value.param == "Idempotency-Key"


def test_without_the_header_there_is_no_claim() -> None:
    assert idempotent_request(None, "POST /v1/things", b"{}") is None
    assert idempotent_request("k", "POST /v1/things", b"{}") == idempotent_request(
        "k", "POST /v1/things", b"{}"
    )
    assert idempotent_request("k", "POST /v1/things", b"{}") != idempotent_request(
        "k", "POST /v1/things", b"{ }"
    )
