"""R42 where people type: notes, prices, plans, exports, the account; and forms that come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page

from contract_tests.dashboard.browser import session_cookie
from contract_tests.dashboard.hostile import PAYLOADS
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount

LISTS = [
    "/alerts/planned",
    "/alerts/planned?offset=50",
    "/prices",
    "/prices?offset=50",
    "/exports",
    "/settings",
    "/sdk",
]
ECHOES = [
    "/limits/new?entity_type={0}&entity_id={0}",
    "/alerts/planned?entity_type={0}&entity_id={0}",
    "/prices?provider={0}&model={0}",
    "/prices/new?provider={0}&model={0}",
    "/exports?start_date={0}&model={0}&session_id={0}",
    "/limits?entity_id={0}",
    "/alerts?entity_id={0}&status=all",
    "/keys?notice={0}",
]
"""Pages that repeat what their address says."""
FORMS = ["/keys", "/webhooks", "/limits", "/settings", "/exports", "/prices"]
FIELDS = ("name", "url", "amount", "entity_type", "entity_id", "timezone", "start_date", "model")


@pytest.fixture(scope="module")
def typed_account(server: ServerProcess) -> TestAccount:
    """An account in which everything that is typed has each of the sixty names."""
    account = server.add_account("hostile-typed")
    client = server.client(account)
    day = {"start_date": "2026-03-01", "end_date": "2026-03-02"}
    for place, text in enumerate(PAYLOADS):
        whose = {"entity_type": "customer", "entity_id": text}
        price = {"provider": text[:64], "model": text, "input_usd_per_million": 1}
        made = [
            client.post("/v1/anomalies/planned", {**day, **whose, "note": text}),
            client.post("/v1/prices", {**price, "note": text}),
            client.post("/v1/sdk/reports", {"version": "0.1.0", "runtime": text[:64], "sent": 1}),
        ]
        if place % 6 == 0:
            made.append(client.post("/v1/exports", {**day, "format": "csv", "model": text}))
        assert {answer.status for answer in made} <= {200, 201}, [each.body for each in made]
    assert client.patch("/v1/me", {"name": PAYLOADS[0], "company": PAYLOADS[2]}).status == 200
    client.close()
    return account


def test_r42_nothing_that_was_typed_runs(
    sign_in: Callable[[TestAccount], Page], typed_account: TestAccount
) -> None:
    """Escaped everywhere: nothing runs, and the policy that would stop it has nothing to do."""
    page = sign_in(typed_account)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    for path in LISTS:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        body = answer.text()
        assert "ran(" in body, path
        check(body)
    assert told == []


def test_r42_what_an_address_says_stays_text(server: ServerProcess, account_b: TestAccount) -> None:
    client, cookie = _visitor(server, account_b)
    for place, text in enumerate(PAYLOADS):
        path = ECHOES[place % len(ECHOES)].format(quote(text, safe=""))
        check(client.request("GET", path, headers={"Accept": "text/html", **cookie}).body.decode())
    client.close()


def test_r42_what_was_typed_wrong_comes_back_as_text(
    server: ServerProcess, account_b: TestAccount
) -> None:
    client, cookie = _visitor(server, account_b)
    found = re.search(
        r'name="csrf" value="([0-9a-f]{64})"',
        client.request("GET", "/keys", headers=cookie).body.decode(),
    )
    assert found is not None
    sent = {
        **cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": client.url,
        "Sec-Fetch-Site": "same-origin",
    }
    for place, text in enumerate(PAYLOADS):
        path = FORMS[place % len(FORMS)]
        form = urlencode({"csrf": found[1], **dict.fromkeys(FIELDS, text)}).encode()
        answer = client.request("POST", path, form, sent)
        assert answer.status == 400, (path, text)
        check(answer.body.decode())
    client.close()


class _Strange(HTMLParser):
    """What no page of ours has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        data = given.get("type") == "application/json"
        if tag == "script" and not data and not given.get("src", "").startswith("/static/"):
            self.found.append(tag)
        if tag in ("iframe", "object", "embed", "base", "xss", "style", "math", "marquee", "video"):
            self.found.append(tag)
        self.found += [name for name in given if name.startswith(("on", "hx-on", "srcdoc"))]
        self.found += [
            f"{name}={value}"
            for name, value in given.items()
            if name in ("href", "src", "action")
            and value.lstrip().lower().startswith("javascript:")
        ]


def check(body: str) -> None:
    """AssertionError when a page has what no page of ours has."""
    parser = _Strange()
    parser.feed(body)
    assert parser.found == [], body


def _visitor(server: ServerProcess, account: TestAccount) -> tuple[Client, dict[str, str]]:
    return server.client(), {"Cookie": f"infraprism_session={session_cookie(server, account)}"}
