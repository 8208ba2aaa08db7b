"""Limits without a proxy: what is known decides, nobody is asked, a refused call is not made."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import openai
import pytest

import infraprism
from infraprism import CallRefusedError, LimitReachedError, LimitsUnknownError, recorder
from infraprism.blocklist import BlockList
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
ACME = {"entity_type": "customer", "entity_id": "acme"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def blocked(entity_id: str = "acme", resets_at: str | None = None, **more: Any) -> dict[str, Any]:
    numbers = {"limit_id": "lim_1", "metric": "cost_usd", "amount": 1, "spent": 1}
    entity = {"entity_type": "customer", "entity_id": entity_id}
    return {**entity, **numbers, "resets_at": resets_at, **more}


def listed(*changes: dict[str, Any], complete: bool = False) -> dict[str, Any]:
    return {"data": list(changes), "complete": complete, "as_of": "2026-03-01T12:00:00Z"}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _quickly(fake: FakeServer) -> None:
    """The list is asked for ten times a second, in place of four times a minute."""
    where = recorder.default_uploader()
    assert where is not None
    where.known_limits(refresh_seconds=0.1)


def enforcing(mock: MockProvider, **options: Any) -> Any:
    return infraprism.InfraPrismOpenAI(
        api_key="k", base_url=f"{mock.url}/v1", limits="enforce", max_retries=0, **options
    )


def knows(entity_id: str = "acme") -> bool:
    where = recorder.default_uploader()
    assert where is not None
    return where.known_limits().list.find(("customer", entity_id)) is not None


def test_a_period_that_ends_frees_the_entity_by_the_servers_clock() -> None:
    now = [NOON.timestamp()]
    known = BlockList(lambda: now[0])
    known.learn(known.ask(), listed(blocked(resets_at="2026-03-01T13:00:00Z", blocked=True)))
    assert known.find(("customer", "acme")) is not None
    now[0] += 3_599
    assert known.find(("customer", "acme")) is not None
    now[0] += 1
    assert known.find(("customer", "acme")) is None
    now[0] -= 1800  # this machine's clock is half an hour behind
    known.learn_clock(NOON.timestamp() + 3_600)
    assert known.find(("customer", "acme")) is None


def test_a_total_never_ends_by_itself() -> None:
    known = BlockList(lambda: NOON.timestamp() * 2)
    known.learn(known.ask(), listed(blocked(blocked=True)))
    found = known.find(("customer", "acme"))
    assert found is not None
    assert found.error().resets_at is None


def test_changes_are_added_to_what_is_known_and_a_complete_list_replaces_it() -> None:
    known = BlockList()
    known.learn(known.ask(), listed(blocked("a", blocked=True), blocked("b", blocked=True)))
    known.learn(known.ask(), listed({**ACME, "entity_id": "a", "blocked": False}))
    assert known.find(("customer", "a")) is None
    assert known.find(("customer", "b")) is not None
    known.learn(known.ask(), listed(blocked("c", blocked=True), complete=True))
    assert known.find(("customer", "b")) is None
    assert known.find(("customer", "c")) is not None


def test_an_uploads_late_answer_holds_until_a_list_that_was_asked_for_after_it() -> None:
    """The limit was raised meanwhile: nobody stays blocked by an answer from before."""
    known = BlockList()
    turn = known.ask()
    known.tell([blocked()])
    known.learn(turn, listed())
    assert known.find(("customer", "acme")) is not None, "this list may be older than the answer"
    known.learn(known.ask(), listed())
    assert known.find(("customer", "acme")) is None


def test_a_blocked_entity_is_refused_and_the_provider_sees_nothing(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked(amount=1.25, spent=1.5, resets_at="2099-01-01T00:00:00Z")]
    client = enforcing(mock)
    until(knows)
    with pytest.raises(LimitReachedError) as refused:
        client.chat.completions.create(**ASK, **ACME)
    error = refused.value
    assert (error.limit, error.spent) == (Decimal("1.25"), Decimal("1.5"))
    assert error.resets_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert (error.entity_type, error.entity_id, error.limit_id) == ("customer", "acme", "lim_1")
    with pytest.raises(CallRefusedError):
        client.chat.completions.create(**ASK, **ACME, stream=True)
    with infraprism.attribute(**ACME), pytest.raises(LimitReachedError):
        client.with_options(timeout=5).responses.create(model="gpt-4o", input="Hello")
    assert mock.requests == []
    client.chat.completions.create(**ASK, entity_type="customer", entity_id="other")
    client.chat.completions.create(**ASK)
    assert len(mock.requests) == 2
    assert infraprism.flush(5)
    assert len(fake.events) == 2, "a call that was not made is not recorded"


def test_the_answer_to_an_upload_blocks_before_any_list_comes(
    mock: MockProvider, fake: FakeServer
) -> None:
    where = recorder.default_uploader()
    assert where is not None
    client = enforcing(mock)
    assert where.known_limits().wait(10)
    where.known_limits().refresh_seconds = 3_600
    until(lambda: where.known_limits().is_current)
    time.sleep(0.3)
    client.chat.completions.create(**ASK, **ACME)
    fake.blocked = [blocked()]
    assert infraprism.flush(5)
    with pytest.raises(LimitReachedError):
        client.chat.completions.create(**ASK, **ACME)
    assert len(mock.requests) == 1


def test_on_limit_names_another_model_or_lets_the_error_through(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked()]
    seen: list[CallRefusedError] = []

    def cheaper(error: CallRefusedError) -> str | None:
        seen.append(error)
        return "gpt-4o-mini" if len(seen) == 1 else None

    client = enforcing(mock, on_limit=cheaper)
    until(knows)
    client.chat.completions.create(**ASK, **ACME)
    assert [request["model"] for request in mock.requests] == ["gpt-4o-mini"]
    with pytest.raises(LimitReachedError):
        client.chat.completions.create(**ASK, **ACME)
    assert len(mock.requests) == 1
    assert isinstance(seen[0], LimitReachedError)


def test_async_clients_refuse_too_and_their_on_limit_may_be_awaited(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked()]

    async def cheaper(_: CallRefusedError) -> str:
        await asyncio.sleep(0)
        return "gpt-4o-mini"

    async def calls() -> None:
        plain = openai.AsyncOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=0)
        strict = infraprism.instrument(plain, limits="enforce")
        where = f"{mock.url}/v1"
        softer = infraprism.AsyncInfraPrismOpenAI(
            api_key="k", base_url=where, limits="enforce", on_limit=cheaper
        )
        while not knows():
            await asyncio.sleep(0.01)
        with infraprism.attribute(**ACME), pytest.raises(LimitReachedError):
            await strict.chat.completions.create(**ASK)
        with infraprism.attribute(**ACME), pytest.raises(LimitReachedError):
            await strict.with_options(timeout=5).chat.completions.create(**ASK)
        assert mock.requests == []
        await softer.chat.completions.create(**ASK, **ACME)
        await strict.close()
        await softer.close()

    asyncio.run(calls())
    assert [request["model"] for request in mock.requests] == ["gpt-4o-mini"]


def test_every_client_of_a_process_can_be_made_to_enforce(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked()]
    client = openai.OpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=0)
    infraprism.instrument(limits="enforce")
    try:
        until(knows)
        with infraprism.attribute(**ACME), pytest.raises(LimitReachedError):
            client.chat.completions.create(**ASK)
    finally:
        infraprism.uninstrument()
    with infraprism.attribute(**ACME):
        client.chat.completions.create(**ASK)
    assert len(mock.requests) == 1


@pytest.mark.parametrize("mode", ["status:500", "status:401", "status:429", "reset"])
def test_while_the_server_does_not_answer_calls_are_made_or_not_as_was_chosen(
    mock: MockProvider, fake: FakeServer, mode: str
) -> None:
    fake.mode = mode
    enforcing(mock).chat.completions.create(**ASK, **ACME)
    started = time.monotonic()
    strict = enforcing(mock, when_unreachable="block")
    assert time.monotonic() - started < 10
    with pytest.raises(LimitsUnknownError):
        strict.chat.completions.create(**ASK, **ACME)
    strict.chat.completions.create(**ASK)  # no limit is about calls of nobody
    assert len(mock.requests) == 2
    fake.mode = "ok"
    where = recorder.default_uploader()
    assert where is not None
    until(lambda: where.known_limits().is_current)
    strict.chat.completions.create(**ASK, **ACME)


def test_what_is_known_goes_on_to_hold_while_the_server_is_away(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked()]
    client = enforcing(mock)
    until(knows)
    fake.mode = "status:503"
    time.sleep(0.4)
    with pytest.raises(LimitReachedError):
        client.chat.completions.create(**ASK, **ACME)


def test_a_forked_child_knows_what_its_parent_knew_and_keeps_it_up_to_date(
    mock: MockProvider, fake: FakeServer
) -> None:
    fake.blocked = [blocked()]
    client = enforcing(mock)
    until(knows)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            client.chat.completions.create(**ASK, **ACME)
        except LimitReachedError:
            until(lambda: knows("later"))
            code = 0
        finally:
            os._exit(code)
    fake.blocked = [blocked(), blocked("later")]
    assert os.waitpid(child, 0)[1] == 0
    assert mock.requests == []


@pytest.mark.parametrize(
    "options", [{"limits": "enforced"}, {"limits": "enforce", "when_unreachable": "closed"}]
)
def test_a_word_that_means_nothing_is_refused_not_taken_for_off(
    mock: MockProvider, fake: FakeServer, options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match='"'):
        infraprism.InfraPrismOpenAI(api_key="k", base_url=mock.url, **options)


def test_without_a_key_the_client_is_a_plain_one(
    mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFRAPRISM_API_KEY")
    recorder.reset()
    enforcing(mock, when_unreachable="block").chat.completions.create(**ASK, **ACME)
    assert len(mock.requests) == 1
