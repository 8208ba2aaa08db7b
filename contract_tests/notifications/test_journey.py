"""What exports and webhooks promise a new user, step by step, and over kills of the server."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from contract_tests.harness.client import Client
from contract_tests.harness.forked import run_forked_command
from contract_tests.harness.server_process import COMMAND, ServerProcess, free_port
from contract_tests.notifications.changed_links import try_changed_links
from contract_tests.notifications.hostile_targets import HOSTILE_URLS
from contract_tests.notifications.receiver import Receiver

ALLOWED = {"INFRAPRISM_ALLOW_PRIVATE_WEBHOOKS": "1"}
RANGE = {"start_date": "2025-01-01", "end_date": "2025-01-31"}


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("allowing"), ALLOWED) as running:
        yield running


@pytest.fixture
def client(allowing: ServerProcess) -> Iterator[Client]:
    made = allowing.client(allowing.create_account(f"user-{time.monotonic_ns()}"))
    yield made
    made.close()


def events(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call-{number}",
            "timestamp": f"2025-01-{1 + number % 28:02}T10:30:00Z",
            "provider": "openai",
            "model": "gpt-4o",
            "input_tokens": 150 + number,
            "output_tokens": 500,
            "entity_type": "customer",
            "entity_id": f"=customer-{number % 7}",
        }
        for number in range(count)
    ]


def hook(client: Client, url: str, *kinds: str) -> dict[str, Any]:
    answer = client.post("/v1/webhooks", {"url": url, "events": list(kinds)})
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json()
    return made


def test_export_told_by_webhook_downloaded_and_its_sum_is_the_apis(client: Client) -> None:
    client.ingest(events(900))
    with Receiver() as receiver:
        made = hook(client, receiver.url, "export.completed")
        asked = client.post("/v1/exports", {**RANGE, "format": "csv"})
        assert asked.status == 201
        assert asked.json()["status"] == "processing"
        receiver.wait_for(1)
    headers, body = receiver.got[0]
    message = Webhook(made["secret"]).verify(body, headers)
    assert message["type"] == "export.completed"
    told = message["data"]
    assert told == client.ok(f"/v1/exports/{asked.json()['id']}")
    file = httpx2.get(told["download_url"])
    assert file.status_code == 200
    assert len(file.content) == told["size_bytes"]
    rows = list(csv.DictReader(io.StringIO(file.text)))
    usage = client.ok("/v1/usage?start_date=2025-01-01&end_date=2025-01-31&interval=none")
    total = Decimal(str(usage["totals"]["cost_usd"]))
    assert total > 0
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total
    assert {row["entity_id"][:2] for row in rows} == {"'="}


def test_r33_a_changed_link_gives_nothing(client: Client) -> None:
    client.ingest(events(3))
    export_id = client.post("/v1/exports", {**RANGE, "format": "json"}).json()["id"]
    link = finished(client, export_id)["download_url"]
    for changed in (
        f"{link}x",
        f"{link}&",
        link.replace("?", "?&"),
        link.replace("?", "/?"),
        link.replace("/downloads/", "//downloads/"),
        link.replace("expires=1", "expires=2"),
        link.replace("expires", "%65xpires"),
        link.split("&")[0],
        link.split("?")[0],
    ):
        assert httpx2.get(changed).status_code in (403, 404), changed
    assert httpx2.get(link).status_code == 200
    assert client.request("DELETE", f"/v1/exports/{export_id}").status == 200
    assert httpx2.get(link).status_code == 404


def test_r33_links_changed_by_chance_give_nothing_over_http(client: Client) -> None:
    assert try_changed_links(client, 9, 200) == 200


def finished(client: Client, export_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        export: dict[str, Any] = client.ok(f"/v1/exports/{export_id}")
        if export["status"] != "processing":
            assert export["status"] == "completed", export
            return export
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_r29_kills_of_the_server_lose_no_delivery(tmp_path: Path) -> None:
    """Messages are told while the server is killed or ended again and again; each arrives."""
    with ServerProcess(tmp_path, ALLOWED) as server, Receiver() as receiver:
        account = server.create_account("a")
        client = server.client(account)
        made = hook(client, receiver.url, "limit.reached")
        sent = set()
        for turn in range(4):
            for _ in range(5):
                answer = client.post(f"/v1/webhooks/{made['id']}/test", {})
                assert answer.status == 201
                sent.add(answer.json()["message_id"])
            client.close()
            if turn % 2:
                server.terminate()
                server.start()
            else:
                server.restart()
            client = server.client(account)
        deadline = time.monotonic() + 60
        while sent != {headers["webhook-id"] for headers, _ in receiver.got}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for headers, body in receiver.got:
            Webhook(made["secret"]).verify(body, headers)
        client.close()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server without the operator's permission, as it is by default."""
    forbidden = {"INFRAPRISM_ALLOW_PRIVATE_WEBHOOKS": "0"}
    with ServerProcess(tmp_path_factory.mktemp("strict"), forbidden) as running:
        made = running.client(running.create_account("strict"))
        yield made
        made.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
    ],
)
def test_r32_targets_that_are_not_public_are_refused_by_default(strict: Client, url: str) -> None:
    answer = strict.post("/v1/webhooks", {"url": url, "events": ["limit.reached"]})
    assert answer.status == 400
    assert answer.error["param"] == "url"


def test_r32_no_hostile_target_is_taken_over_http(strict: Client) -> None:
    """The whole corpus, at creation and when an address is changed."""
    good = strict.post("/v1/webhooks", {"url": "https://a.example/", "events": ["limit.reached"]})
    path = f"/v1/webhooks/{good.json()['id']}"
    for url in HOSTILE_URLS:
        made = strict.post("/v1/webhooks", {"url": url, "events": ["limit.reached"]})
        changed = strict.patch(path, {"url": url})
        for answer in (made, changed):
            assert (answer.status, answer.error["param"]) == (400, "url"), url
    assert strict.ok(path)["url"] == "https://a.example/"


def test_the_contracts_own_example_is_taken(strict: Client) -> None:
    answer = strict.post(
        "/v1/webhooks",
        {"url": "https://your-app.com/webhook", "events": ["anomaly.detected", "limit.reached"]},
    )
    assert answer.status == 201


def test_an_idempotency_key_makes_one_webhook_and_never_shows_the_secret_again(
    client: Client,
) -> None:
    body = {"url": "http://127.0.0.1:9/", "events": ["limit.reached"]}
    first = client.post("/v1/webhooks", body, headers={"Idempotency-Key": "k"})
    again = client.post("/v1/webhooks", body, headers={"Idempotency-Key": "k"})
    assert (first.status, again.status) == (201, 409)
    assert first.json()["id"] in again.json()["error"]["message"]
    shown = client.ok(f"/v1/webhooks/{first.json()['id']}")
    assert "secret" not in shown
    assert client.ok("/v1/webhooks")["pagination"]["total"] == 1


@pytest.mark.parametrize("knows_the_secret", [True, False])
def test_the_listener_prints_what_arrives_and_whether_it_is_good(
    client: Client, knows_the_secret: bool
) -> None:
    port = free_port()
    made = hook(client, f"http://127.0.0.1:{port}/", "limit.reached")
    secret = made["secret"] if knows_the_secret else "whsec_" + "A" * 43 + "="
    command = [str(COMMAND), "webhooks", "listen", "--port", str(port), "--count", "1"]
    with subprocess.Popen(
        [*command, "--secret", secret], stdout=subprocess.PIPE, text=True
    ) as listener:
        assert listener.stdout is not None
        assert "Listening on" in listener.stdout.readline()
        client.post(f"/v1/webhooks/{made['id']}/test", {})
        printed = listener.communicate(timeout=30)[0]
    assert ("signature verified" in printed) is knows_the_secret
    assert ("BAD SIGNATURE" in printed) is not knows_the_secret
    assert json.loads(printed[printed.index("{") :])["type"] == "webhook.test"


@pytest.mark.parametrize("secret", ["nonsense", "whsec_short", "whsec_!"])
def test_a_secret_that_is_none_is_refused_before_anything_arrives(secret: str) -> None:
    done = run_forked_command(
        ["webhooks", "listen", "--port", "0", "--secret", secret], os.environ, 60
    )
    assert done.returncode == 2
    assert "--secret: the secret is" in done.stderr
    assert secret not in done.stderr
