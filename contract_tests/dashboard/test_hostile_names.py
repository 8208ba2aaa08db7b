"""R42: sixty payloads in every name that a page shows, opened in Chromium: none runs."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Page

from contract_tests.dashboard.browser import session_cookie
from contract_tests.dashboard.conftest import now_text
from contract_tests.dashboard.hostile import PAYLOADS
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount

pytestmark = pytest.mark.xdist_group("browser")

LISTS = [
    "/?range=24h&by=tags[name]",
    "/explorer?range=24h&group=entity_id&group=model",
    "/entities?range=24h",
    "/events",
    "/sessions?range=24h",
    "/limits",
    "/alerts/planned",
    "/keys",
    "/prices",
    "/exports",
    "/settings",
    "/sdk",
]
PAGED = {"/entities?range=24h", "/events", "/alerts/planned", "/keys", "/prices"}
ECHOES = [
    "/limits/new?entity_type={0}&entity_id={0}",
    "/alerts/planned?entity_type={0}&entity_id={0}",
    "/prices?provider={0}&model={0}",
    "/prices/new?provider={0}&model={0}",
    "/exports?start_date={0}&model={0}&session_id={0}",
    "/entities?q={0}",
    "/events?session_id={0}",
    "/explorer?model={0}",
    "/limits?entity_id={0}",
    "/keys?notice={0}",
]
"""Pages that repeat what their address says."""


@pytest.fixture(scope="module")
def hostile(server: ServerProcess) -> TestAccount:
    """An account whose every name is a payload."""
    account = server.add_account("hostile")
    client = server.client(account)
    client.ingest(
        [
            {
                "id": f"hostile-{place}",
                "timestamp": now_text(),
                "provider": text[:64],
                "model": text,
                "input_tokens": 1_000,
                "entity_type": "customer",
                "entity_id": text,
                "session_id": text,
                "tags": {"name": text, text[:64]: text},
                "success": False,
                "error_type": text,
                "error_code": text,
                "cost_usd": None if place % 2 else 0.25,
            }
            for place, text in enumerate(PAYLOADS)
        ]
    )
    _name_everything(client)
    client.close()
    return account


def _name_everything(client: Client) -> None:
    day = {"start_date": "2026-03-01", "end_date": "2026-03-02"}
    for place, text in enumerate(PAYLOADS):
        whose = {"entity_type": "customer", "entity_id": text}
        made = [
            client.post("/v1/api-keys", {"name": text, "scopes": ["read"]}),
            client.post("/v1/anomalies/planned", {**day, **whose, "note": text}),
            client.post(
                "/v1/prices",
                {"provider": text[:64], "model": text, "note": text, "input_usd_per_million": 1},
            ),
        ]
        if place % 2:
            path = f"/v1/entities/customer/{quote(text, safe='')}"
            made.append(client.patch(path, {"name": text}))
        if place % 4 == 0:
            limit = {**whose, "metric": "requests", "amount": 1, "period": "day"}
            made.append(client.post("/v1/limits", limit))
        if place % 10 == 0:
            made.append(client.post("/v1/exports", {**day, "format": "csv", "model": text}))
        assert {answer.status for answer in made} <= {200, 201}, [each.body for each in made]
    report = {"version": "0.1.0", "queued": 1, "sent": 1}
    for text in PAYLOADS[::2]:
        answer = client.post("/v1/sdk/reports", {**report, "runtime": text[:64]})
        assert answer.status == 201, answer.body
    assert client.patch("/v1/me", {"name": PAYLOADS[0], "company": PAYLOADS[7]}).status == 200


def test_r42_no_payload_in_a_name_runs(
    sign_in: Callable[[TestAccount], Page], hostile: TestAccount
) -> None:
    """Escaped everywhere: nothing runs, and the policy that would stop it has nothing to do."""
    page = sign_in(hostile)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    paged = [path + ("&" if "?" in path else "?") + "offset=50" for path in LISTS if path in PAGED]
    for path in [*LISTS, *paged, "/events/hostile-0", _entity(PAYLOADS[1]), _entity(PAYLOADS[46])]:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        assert "told(1)" in page.content(), path
        strange = page.evaluate(
            '[...document.querySelectorAll(\'img:not([src*="/static/"]), iframe, object, embed,'
            " video, audio, base, marquee, math, xss, [onerror], [onload]')]"
            ".map(each => each.outerHTML)"
        )
        assert strange == [], path
    assert told == []


def test_r42_what_an_address_says_stays_text(server: ServerProcess, account_b: TestAccount) -> None:
    """Each payload in two of the pages that repeat what their address says."""
    client = server.client()
    cookie = {"Cookie": f"infraprism_session={session_cookie(server, account_b)}"}
    for place, text in enumerate(PAYLOADS):
        for address in (ECHOES[place % len(ECHOES)], ECHOES[(7 * place + 4) % len(ECHOES)]):
            path = address.format(quote(text, safe=""))
            body = client.request("GET", path, headers={"Accept": "text/html", **cookie}).body
            assert _scripts(body.decode()) <= {None, "application/json", "module"}, path
    client.close()


def test_no_form_field_comes_back_as_code(server: ServerProcess, account_b: TestAccount) -> None:
    """What was typed wrong is kept as text, with the error beside it."""
    client = server.client()
    cookie = {"Cookie": f"infraprism_session={session_cookie(server, account_b)}"}
    page = client.request("GET", "/keys", headers=cookie).body.decode()
    token = page.split('name="csrf" value="')[1][:64]
    sent = {
        **cookie,
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": client.url,
        "Sec-Fetch-Site": "same-origin",
    }
    fields = (
        "name",
        "url",
        "amount",
        "entity_type",
        "entity_id",
        "timezone",
        "start_date",
        "model",
    )
    for path in ("/keys", "/webhooks", "/limits", "/settings", "/exports", "/prices"):
        for text in PAYLOADS[::8]:
            form = urlencode({"csrf": token, **dict.fromkeys(fields, text)}).encode()
            answer = client.request("POST", path, form, sent)
            assert answer.status == 400, (path, text)
            assert _scripts(answer.body.decode()) <= {None, "module"}, (path, text)
    client.close()


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str | None] = set()
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.found.add(given.get("type"))
            inside = given.get("type") == "application/json"
            if not inside and not (given.get("src") or "").startswith("/static/"):
                self.strange.append(tag)
        if tag in ("iframe", "object", "embed", "base", "xss", "style", "math", "marquee"):
            self.strange.append(tag)
        self.strange += [name for name in given if name.startswith("on") or name == "style"]


def _scripts(body: str) -> set[str | None]:
    """The types of a page's scripts. AssertionError for what no page of ours has."""
    parser = _Scripts()
    parser.feed(body)
    assert parser.strange == [], body
    return parser.found


def _entity(name: str) -> str:
    return f"/entities/customer/{quote(name, safe='')}?range=24h"
