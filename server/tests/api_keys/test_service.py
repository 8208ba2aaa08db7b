"""Keys in a real store: who is believed, for how long, and what is ever written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event

from infraprism_server.accounts.service import AccountChanges, AccountService
from infraprism_server.api_keys.key import hash_of, new_key, same_hash
from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.clock import FixedClock, to_us
from infraprism_server.errors import Conflict, InvalidRequest, NotFound, Unavailable
from infraprism_server.http.idempotency import IdempotentRequest
from infraprism_server.http.wire import decode_body, encode


@pytest.fixture
def other_process(engine: Engine, clock: FixedClock) -> ApiKeyService:
    """The same store with a memory of its own, as the CLI or a second node has."""
    return ApiKeyService(engine, AccountService(engine, clock), clock)


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """Every statement sent to the store from here on."""
    seen: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    return seen


def test_a_new_key_acts_for_its_account(cast: Any) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("Production"))
    principal = cast.keys.authenticate(made.key)
    assert principal is not None
    assert (principal.account, principal.account_id) == (cast.ann.number, cast.ann.id)
    assert principal.key_id == made.id
    assert principal.scopes == {"full"}
    assert principal.requests_per_minute == 300


def test_the_answer_looks_like_the_contract_says(cast: Any) -> None:
    made = msgspec.json.decode(encode(cast.keys.create(cast.ann.number, CreateKey("Staging"))))
    assert made.pop("id").startswith("key_")
    assert made.pop("key").startswith(made.pop("prefix"))
    assert made == {
        "name": "Staging",
        "created_at": "2026-03-01T12:00:00Z",
        "scopes": ["full"],
        "expires_at": None,
    }


def test_the_list_never_shows_a_key(cast: Any) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("Staging", ("read",)))
    listed = msgspec.json.decode(encode(cast.keys.page(cast.ann.number, 10).keys))
    assert listed == [
        {
            "id": made.id,
            "name": "Staging",
            "prefix": made.key[:6],
            "created_at": "2026-03-01T12:00:00Z",
            "last_used_at": None,
            "scopes": ["read"],
            "expires_at": None,
        }
    ]


def test_r13_r15_malformed_keys_cost_no_look_up(cast: Any, statements: list[str]) -> None:
    """R13, R15: the checksum comes first."""
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    statements.clear()
    typo = made.key[:-1] + ("a" if made.key[-1] != "a" else "b")
    for text in ("", "ip-", "nonsense", typo, made.key + "a", "ip-" + "0" * 39):
        assert cast.keys.authenticate(text) is None
        assert cast.keys.recall(text) is None
    assert statements == []


def test_r15_an_unknown_key_is_looked_up_by_hash_and_not_remembered(
    cast: Any, other_process: ApiKeyService, statements: list[str]
) -> None:
    unknown = new_key()
    for _ in range(2):
        statements.clear()
        assert cast.keys.authenticate(unknown) is None
        assert any("api_keys" in statement for statement in statements)
    made = other_process.create(cast.ann.number, CreateKey("x"))
    assert cast.keys.authenticate(made.key) is not None  # at once


def test_r15_a_key_is_looked_up_by_its_hash_and_compared_in_constant_time(
    cast: Any, engine: Engine
) -> None:
    """R15: no statement sees a text, and a row that is found is compared once more."""
    values: list[Any] = []
    event.listen(engine, "before_cursor_execute", lambda *a: values.extend(a[3]))
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    assert cast.keys.authenticate(made.key) is not None
    assert not any(made.key[6:] in str(each) for each in values)
    packed = [bytes(each) for each in values if isinstance(each, bytes | memoryview)]
    assert packed.count(hash_of(made.key)) == 2, "one insert, one look-up"
    assert same_hash(hash_of(made.key), hash_of(made.key))
    assert not same_hash(hash_of(made.key), hash_of(made.key[:-1]))
    assert "compare_digest" in same_hash.__code__.co_names


def test_a_believed_key_is_recalled_without_the_store(cast: Any, statements: list[str]) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    assert cast.keys.recall(made.key) is None
    principal = cast.keys.authenticate(made.key)
    statements.clear()
    assert cast.keys.recall(made.key) == principal == cast.keys.authenticate(made.key)
    assert statements == []


def test_a_deleted_key_stops_at_once_here_and_within_a_second_elsewhere(
    cast: Any, other_process: ApiKeyService, clock: FixedClock
) -> None:
    """R17."""
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    assert cast.keys.authenticate(made.key) is not None
    assert other_process.authenticate(made.key) is not None
    other_process.delete(cast.ann.number, made.id)
    assert other_process.recall(made.key) is None
    assert other_process.authenticate(made.key) is None
    clock.advance(timedelta(milliseconds=901))
    assert cast.keys.recall(made.key) is None
    assert cast.keys.authenticate(made.key) is None


def test_a_clock_that_is_set_back_does_not_keep_a_key_alive(
    cast: Any, other_process: ApiKeyService, clock: FixedClock
) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    cast.keys.authenticate(made.key)
    other_process.delete(cast.ann.number, made.id)
    clock.advance(timedelta(hours=-1))
    assert cast.keys.recall(made.key) is None


def test_a_key_stops_at_the_moment_it_expires(cast: Any, clock: FixedClock) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    made = cast.keys.create(cast.ann.number, CreateKey("x", expires_at=moment))
    clock.advance(timedelta(milliseconds=499))
    assert cast.keys.authenticate(made.key) is not None
    clock.advance(timedelta(milliseconds=1))
    assert cast.keys.recall(made.key) is None
    assert cast.keys.authenticate(made.key) is None


def test_a_new_plan_counts_within_a_second(cast: Any, clock: FixedClock) -> None:
    made = cast.keys.create(cast.bob.number, CreateKey("x"))
    assert cast.keys.authenticate(made.key).requests_per_minute == 60
    cast.accounts.update(cast.bob.number, AccountChanges(plan="scale"))
    clock.advance(timedelta(milliseconds=901))
    assert cast.keys.authenticate(made.key).requests_per_minute == 1_000


def test_another_accounts_key_is_not_there(cast: Any) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    with pytest.raises(NotFound):
        cast.keys.delete(cast.bob.number, made.id)
    with pytest.raises(NotFound):
        cast.keys.delete(cast.ann.number, "key_none")
    assert cast.keys.page(cast.bob.number, 10).total == 0
    assert cast.keys.authenticate(made.key) is not None


def test_pages_go_on_exactly_where_they_ended_while_keys_come_and_go(
    cast: Any, clock: FixedClock
) -> None:
    made = []
    for n in range(5):
        made.append(cast.keys.create(cast.ann.number, CreateKey(f"k{n}")))
        if n % 2:
            clock.advance(timedelta(seconds=1))
    first = cast.keys.page(cast.ann.number, 2)
    assert first.total == 5
    cast.keys.create(cast.ann.number, CreateKey("late"))
    cast.keys.delete(cast.ann.number, first.keys[-1].id)
    seen = [key.name for key in first.keys]
    position = first.next_position
    while position is not None:
        page = cast.keys.page(cast.ann.number, 2, after=position)
        seen += [key.name for key in page.keys]
        position = page.next_position
    assert seen == ["k4", "k3", "k2", "k1", "k0"]
    assert [key.name for key in cast.keys.page(cast.ann.number, 2, offset=1).keys] == ["k4", "k2"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "name"),
        (b'{"name": ""}', "name"),
        (b'{"name": " "}', "name"),
        (b'{"name": "a\\u0000b"}', "name"),
        (b'{"name": "x", "scope": ["read"]}', "scope"),
        (b'{"name": "x", "scopes": []}', "scopes"),
        (b'{"name": "x", "scopes": ["admin"]}', "scopes"),
        (b'{"name": "x", "scopes": null}', "scopes"),
        (b'{"name": "x", "expires_at": "soon"}', "expires_at"),
        (b'{"name": "x", "expires_at": "2027-01-01T00:00:00"}', "expires_at"),
        (b'{"name": "x", "expires_at": "2026-03-01T12:00:00Z"}', "expires_at"),
        (b'{"name": "x", "expires_at": "9999-12-31T23:59:59-14:00"}', "expires_at"),
        (b'{"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"}', "expires_at"),
    ],
)
def test_a_bad_request_names_the_field_and_makes_no_key(cast: Any, body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        cast.keys.create(cast.ann.number, decode_body(body, CreateKey))
    assert (caught.value.param or "").startswith(param)
    assert cast.keys.page(cast.ann.number, 10).total == 0


def test_a_replay_is_a_conflict_that_names_the_key(cast: Any) -> None:
    claim = IdempotentRequest("k", "POST /v1/api-keys", b"hash")
    made = cast.keys.create(cast.ann.number, CreateKey("x"), claim)
    with pytest.raises(Conflict, match=made.id) as caught:
        cast.keys.create(cast.ann.number, CreateKey("x"), claim)
    assert made.key not in caught.value.message
    assert cast.keys.page(cast.ann.number, 10).total == 1


def test_last_use_is_written_behind_and_never_in_the_requests_path(
    cast: Any, other_process: ApiKeyService, clock: FixedClock, statements: list[str]
) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    statements.clear()
    cast.keys.authenticate(made.key)
    other_process.authenticate(made.key)
    assert not [s for s in statements if s.startswith("UPDATE")]
    clock.advance(timedelta(seconds=30))
    cast.keys.authenticate(made.key)
    cast.keys.flush_last_used()
    other_process.flush_last_used()  # it saw the key earlier: the later time stays
    (listed,) = cast.keys.page(cast.ann.number, 10).keys
    assert listed.last_used_at.us == to_us(datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC))
    statements.clear()
    cast.keys.flush_last_used()
    assert statements == []


def test_a_failed_flush_is_made_good_by_the_next(cast: Any, engine: Engine) -> None:
    made = cast.keys.create(cast.ann.number, CreateKey("x"))
    cast.keys.authenticate(made.key)

    def fail(*_: object) -> None:
        raise Unavailable("no disk")

    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(Unavailable):
        cast.keys.flush_last_used()
    event.remove(engine, "before_cursor_execute", fail)
    cast.keys.flush_last_used()
    assert cast.keys.page(cast.ann.number, 10).keys[0].last_used_at is not None


def test_r14_the_text_of_no_key_is_ever_written_down(
    cast: Any, engine: Engine, data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """R14, short form."""
    texts = []
    shown = []
    for n in range(100):
        claim = IdempotentRequest(f"k{n}", "POST /v1/api-keys", b"hash")
        made = cast.keys.create(cast.ann.number, CreateKey(f"key {n}"), claim)
        texts.append(made.key)
        shown.append(repr(made))
        cast.keys.authenticate(made.key)
        with pytest.raises(Conflict) as caught:
            cast.keys.create(cast.ann.number, CreateKey(f"key {n}"), claim)
        shown.append(caught.value.message)
    cast.keys.flush_last_used()
    out, err = capfd.readouterr()
    everything = "".join([out, err, *shown]).encode()
    everything += b"".join(p.read_bytes() for p in data_dir.rglob("*") if p.is_file())
    engine.dispose()
    everything += b"".join(p.read_bytes() for p in data_dir.rglob("*") if p.is_file())
    for text in texts:
        assert text.encode() not in everything
        assert text[6:-6].encode() not in everything
