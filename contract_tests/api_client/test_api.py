"""Every route of the API document is reached by the client, and every field of every answer read.

One journey plays them all against a real server. A route without a method, or a field that a type
leaves out, fails here.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from contract_tests.harness.awaiting import run_apart
from contract_tests.harness.client import Client as RawClient
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.notifications.receiver import Receiver
from infraprism import AsyncClient, Client, webhooks
from infraprism.api import errors
from infraprism.api.progress import WaitTimedOut
from infraprism.api.requests import Request

T = TypeVar("T")
METHODS = ("get", "post", "put", "patch", "delete")
NOW = datetime.now(UTC)
TODAY = NOW.date().isoformat()
NOWHERE = "http://127.0.0.1:9/webhook"
LEFT_OUT = {"Page.totals"}
"""The sums of a usage report stand in `usage`; `usage_rows` gives its rows alone."""


class Watched(Client):
    """A client that remembers which routes it has used and which fields it did not read."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.routes: set[tuple[str, str]] = set()
        self.unread: set[str] = set()

    def send(self, request: Request[T]) -> T:
        self.routes.add((request.method, f"/v1{request.route}"))

        def read(data: Any) -> T:
            result = request.read(data)
            self.unread |= unread(data, result)
            return result

        return super().send(replace(request, read=read))


def unread(data: Any, result: Any) -> set[str]:
    """Names of fields of JSON objects that the typed result does not have."""
    if dataclasses.is_dataclass(result) and isinstance(data, dict):
        names = {field.name for field in dataclasses.fields(result)}
        missing = {f"{type(result).__name__}.{name}" for name in data if name not in names}
        for name in names & data.keys():
            missing |= unread(data[name], getattr(result, name))
        return missing
    if isinstance(data, list) and isinstance(result, list):
        return set().union(*(unread(*pair) for pair in zip(data, result, strict=True)), set())
    return set()


def event(number: int, **fields: Any) -> dict[str, Any]:
    moment = (NOW - timedelta(minutes=number)).isoformat()
    given = {"id": f"evt_api_{number}", "timestamp": moment, "provider": "openai"}
    entity = {"entity_type": "customer", "entity_id": f"acme/{number % 3}"}
    return {**given, "model": "gpt-4o", "input_tokens": 1000, **entity, **fields}


@pytest.fixture(scope="module")
def account(server: ServerProcess) -> TestAccount:
    return server.add_account(f"api-{time.monotonic_ns()}")


@pytest.fixture(scope="module")
def api(server: ServerProcess, account: TestAccount) -> Iterator[Watched]:
    with Watched(api_key=account.key, base_url=server.url, poll_seconds=0.05) as client:
        yield client


@pytest.fixture(scope="module")
def journey(api: Watched, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Everything once, in an order in which there is something to see."""
    folder = tmp_path_factory.mktemp("exports")
    for play in (_account, _events, _prices, _limits, _webhooks, _sdk):
        play(api)
    _exports(api, folder)
    # A new account's first hour is looked at within a second; another's waits for its turn.
    key = server.add_account(f"odd-{time.monotonic_ns()}").key
    with Watched(api_key=key, base_url=server.url) as odd:
        _anomalies(odd)
    api.routes |= odd.routes
    api.unread |= odd.unread


def _account(api: Client) -> None:
    before = api.me()
    changed = api.update_me(name="Ann Other", timezone="Europe/Berlin", retention_days=None)
    assert (changed.name, changed.timezone, changed.email) == (
        "Ann Other",
        "Europe/Berlin",
        before.email,
    )
    api.update_me(timezone="UTC")
    made = api.api_keys.create("a", scopes=["read"], expires_at=NOW + timedelta(days=1))
    assert made.expires_at is not None
    assert made.id in {key.id for key in api.api_keys.iterate(page_size=1)}
    api.api_keys.delete(made.id)
    assert made.id not in {key.id for key in api.api_keys.list(limit=1000).data}


def _events(api: Client) -> None:
    batch = [event(number) for number in range(7)] + [event(7, cost_usd=Decimal("0.0065"))]
    answer = api.events.create([*batch, {"id": "evt_bad"}])
    assert (answer.accepted, [one.index for one in answer.rejected]) == (8, [8])
    assert answer.rejected[0].error.param
    assert api.events.create(batch).duplicates == 8
    found = [one.id for one in api.events.iterate(page_size=3, entity_type="customer")]
    assert found == [f"evt_api_{number}" for number in range(8)]
    page = api.events.list(limit=2, offset=1, model="gpt-4o", success=True)
    assert ([one.id for one in page.data], page.pagination.total) == (
        ["evt_api_1", "evt_api_2"],
        8,
    )
    assert api.events.get("evt_api_7").cost_usd == Decimal("0.0065")
    why = api.events.explain_cost("evt_api_0")
    assert sum(line.cost_usd for line in why.lines) == why.cost_usd == Decimal("0.0025")
    dear = api.entities.list(type="customer", sort="-total_cost")
    assert sum(one.total_cost for one in dear.data) == 7 * Decimal("0.0025") + Decimal("0.0065")
    assert {one.entity_id for one in api.entities.iterate(page_size=1)} >= {"acme/0", "acme/1"}
    named = api.entities.update(
        "customer", "acme/0", name="Acme", metadata={"tier": "a"}, revenue_usd_monthly=Decimal(10)
    )
    assert (named.name, named.revenue_usd_monthly) == ("Acme", 10)
    assert api.entities.get("customer", "acme/0").cost_by_model is not None
    usage = api.usage(group_by=["entity_id"], interval="none", start_date=TODAY)
    assert usage.pagination.total == len(usage.data)
    rows = list(api.usage_rows(group_by=["entity_id"], interval="none", page_size=1))
    assert sum(row.cost_usd for row in rows) == api.usage(interval="none").totals.cost_usd


def _prices(api: Client) -> None:
    assert api.prices.look_up("openai", "gpt-4o").input_usd_per_million == Decimal("2.5")
    made = api.prices.create(
        "acme", model="acme-1", input_usd_per_million=Decimal("0.123456789012"), note="ours"
    )
    assert made.input_usd_per_million == Decimal("0.123456789012"), "every digit arrives"
    assert made.id in {one.id for one in api.prices.iterate(page_size=1)}
    assert made.id in {one.id for one in api.prices.list().data}
    api.events.create([event(20, provider="acme", model="acme-2")])
    assert "acme-2" in {one.model for one in api.prices.list_unpriced().data}
    told: list[int] = []
    begun = api.prices.reprice(dry_run=True, only="all")
    done = api.prices.wait_for_repricing(
        begun.id, timeout_seconds=30, progress=lambda part, _: told.append(part)
    )
    assert (done.status, told[-1]) == ("completed", done.events_done)
    assert done.result is not None
    api.prices.delete(made.id)


def _limits(api: Client) -> None:
    made = api.limits.create(
        "customer",
        "acme/1",
        metric="cost_usd",
        amount=Decimal("0.001"),
        period="month",
        action="block",
        approaching=[Decimal("0.5")],
    )
    assert (made.state, made.amount, made.approaching) == (
        "reached",
        Decimal("0.001"),
        [Decimal("0.5")],
    )
    assert api.limits.get(made.id).spent == made.spent
    assert [one.id for one in api.limits.iterate(entity_type="customer")] == [made.id]
    assert api.limits.list(entity_id="nobody").data == []
    assert api.limits.status("customer", "acme/1").status == "block"
    changes = api.limits.blocked()
    assert [one.entity_id for one in changes.data if one.blocked] == ["acme/1"]
    told = api.events.create([event(1)])
    assert [one.limit_id for one in told.blocked] == [made.id]
    assert api.limits.update(made.id, amount=100).state == "ok"
    assert [one.blocked for one in api.limits.blocked(changes.as_of).data] == [False]
    api.limits.delete(made.id)


def _webhooks(api: Client) -> None:
    with Receiver() as receiver:
        made = api.webhooks.create(receiver.url, ["export.completed"])
        assert made.secret.startswith("whsec_")
        assert made.secret not in repr(made)
        delivery = api.webhooks.test(made.id)
        receiver.wait_for(1)
        read = webhooks.verify(*receiver.got[0], made.secret)
        assert (read.type, read.id) == ("webhook.test", delivery.message_id)
        rotated = api.webhooks.rotate_secret(made.id)
        assert rotated.secret != made.secret
        assert api.webhooks.get(made.id).former_secret_until is not None
        assert made.id in {one.id for one in api.webhooks.iterate(page_size=1)}
        assert made.id in {one.id for one in api.webhooks.list().data}
        _until(
            lambda: (
                {one.status for one in api.webhooks.list_deliveries(made.id).data} == {"delivered"}
            )
        )
        found = {
            one.message_id: one for one in api.webhooks.iterate_deliveries(made.id, page_size=1)
        }
        tried = found[delivery.message_id]
        assert tried.attempts[0].status_code == 200
        assert api.webhooks.redeliver(made.id, tried.id).message_id == delivery.message_id
        assert api.webhooks.update(made.id, url=NOWHERE, enabled=False).enabled is False
    api.webhooks.delete(made.id)
    with pytest.raises(errors.NotFound):
        api.webhooks.get(made.id)


def _anomalies(api: Client) -> None:
    # A run may have begun before the hour did, and an hour that is over is judged at the next one.
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    calls = [
        event(0)
        | {
            "id": f"odd-{back}",
            "timestamp": (hour - timedelta(hours=back)).isoformat(),
            "entity_id": "odd",
            "cost_usd": Decimal("0.05") if back else 500,
        }
        for back in range(120)
    ]
    assert api.events.create(calls).accepted == 120
    _until(lambda: api.anomalies.list(entity_type="customer", entity_id="odd").data != [])
    (odd,) = [*api.anomalies.iterate(entity_type="customer", entity_id="odd", status="open")]
    assert api.anomalies.get(odd.id) == odd
    assert odd.actual_usd >= 500
    assert len(api.anomalies.series(odd.id, hours_before=24, hours_after=0).hours) >= 24
    assert api.anomalies.update(odd.id, status="expected").status == "expected"
    before = api.anomalies.settings()
    api.anomalies.update_settings(sensitivity="high", minimum_impact_usd=Decimal("2.5"))
    assert api.anomalies.settings().minimum_impact_usd == Decimal("2.5")
    api.anomalies.update_settings(sensitivity="default", minimum_impact_usd=None)
    assert api.anomalies.settings() == before
    planned = api.anomalies.plan(TODAY, TODAY, entity_type="customer", entity_id="odd", note="x")
    assert [one.id for one in api.anomalies.list_planned().data] == [planned.id]
    api.anomalies.delete_planned(planned.id)


def _sdk(api: Client) -> None:
    api.sdk.report("9.9.9", "python 3.99", queued=5, sent=3, dropped={"queue_full": 2})
    health = api.sdk.health(days=1)
    assert (health.queued, health.sent, health.dropped) == (5, 3, {"queue_full": 2})
    assert health.by_day[0].date == datetime.now(UTC).date()


def _exports(api: Client, folder: Path) -> None:
    told: list[tuple[int, int | None]] = []
    export = api.exports.create(TODAY, TODAY, format="json", provider="openai", model="gpt-4o")
    path = export.wait(timeout_seconds=60).download(
        folder / "calls.jsonl", progress=lambda *at: told.append(at)
    )
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == export.state.rows_total > 0
    size = path.stat().st_size
    assert told[-1] == (size, size)
    assert [one.name for one in folder.iterdir()] == ["calls.jsonl"]
    assert export.id in {one.id for one in api.exports.iterate(page_size=1)}
    assert export.id in {one.id for one in api.exports.list().data}
    again = api.exports.get(export.id)
    assert again.state.status == "completed"
    again.delete()
    with pytest.raises(errors.NotFound):
        export.refresh()
    with pytest.raises(errors.DownloadFailed):
        export.download(folder / "gone.jsonl")
    assert [one.name for one in folder.iterdir()] == ["calls.jsonl"]
    other = api.exports.create(TODAY, TODAY)
    api.exports.delete(other.id)


@pytest.mark.usefixtures("journey")
def test_every_route_of_the_document_is_reached(server: ServerProcess, api: Watched) -> None:
    document = json.loads(server.client().get("/v1/openapi.json").body)
    routes = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    }
    assert routes - api.routes == set(), "these routes have no method, or it is not played here"
    assert api.routes - routes == set(), "these are no routes of the server"


@pytest.mark.usefixtures("journey")
def test_every_field_of_every_answer_is_in_its_type(api: Watched) -> None:
    assert api.unread - LEFT_OUT == set()


def test_every_method_of_the_client_has_an_awaited_twin(api: Watched, account: TestAccount) -> None:
    awaited = AsyncClient(api_key=account.key, base_url="http://127.0.0.1:9")
    for name, part in {"": api, **vars(api)}.items():
        if name.startswith("_") or not type(part).__module__.startswith("infraprism"):
            continue
        twin = getattr(awaited, name)
        for method, function in inspect.getmembers(type(part), inspect.isfunction):
            if not method.startswith("_"):
                other = getattr(type(twin), method)
                assert inspect.signature(function).parameters.keys() == (
                    inspect.signature(other).parameters.keys()
                )


@pytest.mark.usefixtures("journey")
def test_the_awaited_client_exports_and_iterates(
    server: ServerProcess, account: TestAccount, tmp_path: Path
) -> None:
    async def plays() -> int:
        async with AsyncClient(
            api_key=account.key, base_url=server.url, poll_seconds=0.05
        ) as client:
            found = [one async for one in client.events.iterate(page_size=50, model="gpt-4o")]
            export = await client.exports.create(TODAY, TODAY, format="csv")
            with pytest.raises(WaitTimedOut):
                await export.wait(timeout_seconds=-1)
            path = await export.download(tmp_path / "calls.csv")
            assert path.stat().st_size == export.state.size_bytes
            await client.exports.delete(export.id)
            await client.update_me(company="Awaited")
            assert (await client.me()).company == "Awaited"
            return len(found)

    assert run_apart(plays()) >= 8


@pytest.mark.usefixtures("journey")
def test_a_key_that_may_not_and_a_word_that_is_wrong_are_errors_of_their_own(
    server: ServerProcess, account: TestAccount, api: Client
) -> None:
    key = api.api_keys.create("ingest", scopes=["ingest"])
    with Client(api_key=key.key, base_url=server.url) as narrow:
        with pytest.raises(errors.Forbidden) as refused:
            narrow.sdk.health()
        assert refused.value.request_id
        assert narrow.limits.blocked().complete
    with pytest.raises(errors.InvalidRequest) as wrong:
        api.limits.create("customer", "a", metric="cost_usd", amount=-1, period="month")
    assert wrong.value.param == "amount"
    raw = RawClient(server.url, account.key)
    assert raw.get(f"/v1/entities/customer/{quote('acme/0', safe='')}").status == 200


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
