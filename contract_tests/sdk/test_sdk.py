"""Mixed traffic through the SDK, compared call by call with what the real server stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import infraprism
from contract_tests.harness.awaiting import run_apart
from contract_tests.sdk.conftest import EMAIL, Server
from contract_tests.sdk.traffic import Traffic, VariedUsage, compare
from infraprism import AsyncClient, Client, recorder
from infraprism.api import errors
from infraprism.event import FIELDS
from sdk.tests.mock_provider import MockProvider

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
GPT_4O = Decimal("0.000475")
"""gpt-4o lists 2.50, cached 1.25 and output 10 dollars a million: 20, 100 and 30 of the mock's."""


def test_mixed_traffic_is_stored_call_by_call_none_missing_none_doubled_cost_exact(
    reporting: Server,
) -> None:
    """The day of the long form, with some hundred calls in its place: every kind at least once."""
    with MockProvider(VariedUsage(seed=7)) as mock:
        traffic = Traffic(mock, "mixed", seed=7)
        traffic.play(100)
        assert infraprism.flush(30)
        compared = compare(traffic.made, mock, "mixed")
    assert compared.missing == []
    assert compared.doubled == []
    assert compared.wrong == []
    assert compared.cost_usd > 0
    assert infraprism.counts().dropped == {}


def test_a_batch_that_is_sent_again_is_not_counted_again(
    reporting: Server, mock: MockProvider
) -> None:
    where = recorder.default_uploader()
    assert where is not None
    event = {
        "id": "evt_again",
        "timestamp": time.time_ns(),
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 10,
    }
    for _ in range(3):
        where.record(dict(event))
        assert where.flush(10)
    with Client() as api:
        assert [one.id for one in api.events.iterate() if one.id == "evt_again"] == ["evt_again"]


def test_the_server_takes_every_field_the_sdk_has_but_those_it_names_as_unknown(
    reporting: Server,
) -> None:
    where = recorder.default_uploader()
    assert where is not None
    values = {name: 1 for name in FIELDS if name.endswith(("_tokens", "_requests", "_ms"))}
    values |= {"input_tokens": 100, "output_tokens": 100, "cost_usd": Decimal("0.0065")}
    text = {"entity_type": "customer", "entity_id": "all", "session_id": "s", "tags": {"a": "b"}}
    failed = {"success": False, "error_type": "E", "error_code": "c", "service_tier": "flex"}
    head = {"id": "evt_all", "timestamp": time.time_ns(), "provider": "openai", "model": "m"}
    event = {**head, **values, **text, **failed}
    assert event.keys() == set(FIELDS)
    where.record(event)
    assert where.flush(10)
    counts = where.counters.snapshot()
    assert counts.dropped == {}
    assert counts.fields_dropped.keys() <= {"time_to_first_token_ms"}
    with Client() as api:
        stored = api.events.get("evt_all")
    assert (stored.cost_usd, stored.cost_source) == (Decimal("0.0065"), "reported")
    assert (stored.reasoning_output_tokens, stored.tags) == (1, {"a": "b"})


def test_the_api_client_reads_what_the_account_has(reporting: Server, mock: MockProvider) -> None:
    client: Any = infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")
    with infraprism.attribute(entity_type="team", entity_id="search/eu", tags={"run": "api"}):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert infraprism.flush(10)
    with Client() as api:
        assert (api.me().email, api.me().plan) == (EMAIL, "enterprise")
        entity = api.entities.get("team", "search/eu")
        assert (entity.total_cost, entity.cost_by_model) == (GPT_4O, {"gpt-4o": GPT_4O})
        assert "search/eu" in [one.entity_id for one in api.entities.iterate(type="team")]
        usage = api.usage(group_by=["model", "tags[run]"], tags={"run": "api"}, interval="none")
        assert [row.group for row in usage.data] == [{"model": "gpt-4o", "tags[run]": "api"}]
        assert usage.totals.cost_usd == GPT_4O
        price = api.prices.look_up("openai", "gpt-4o")
        assert price.steps or price.input_usd_per_million == Decimal("2.5")
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        key = api.api_keys.create("for a test", scopes=["read"], expires_at=tomorrow)
        assert key.key.startswith("ip-")
        assert key.key not in repr(key)
        assert key.id in [one.id for one in api.api_keys.list().data]
        with Client(api_key=key.key) as reader, pytest.raises(errors.Forbidden):
            reader.api_keys.delete(key.id)
        api.api_keys.delete(key.id)


def test_errors_are_classes_with_what_is_wrong(reporting: Server) -> None:
    with Client() as api:
        with pytest.raises(errors.NotFound) as missing:
            api.events.get("evt_none")
        assert missing.value.request_id
        with pytest.raises(errors.InvalidRequest) as wrong:
            api.events.list(start_date="2026-02-01", end_date="2026-01-01")
        assert wrong.value.param == "start_date"
    with Client(api_key="ip-wrong") as nobody, pytest.raises(errors.Unauthorized):
        nobody.me()


def test_the_async_client_is_the_same_awaited(reporting: Server) -> None:
    infraprism.track(provider="openai", model="gpt-4o", input_tokens=3, tags={"run": "async"})
    assert infraprism.flush(10)

    async def reads() -> None:
        async with AsyncClient() as api:
            assert (await api.me()).email == EMAIL
            found = [event async for event in api.events.iterate(tags={"run": "async"})]
            assert [event.input_tokens for event in found] == [3]
            with pytest.raises(errors.NotFound):
                await api.entities.get("customer", "nobody")

    run_apart(reads())
