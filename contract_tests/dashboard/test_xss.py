"""R42: sixty hostile names in every field that has a name, in a browser whose CSP is off.

Escaping alone must hold then. That the policy is there as well is for test_headers.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from contract_tests.dashboard.browser import is_elsewhere, sign_in_browser, wait_for_numbers
from contract_tests.dashboard.conftest import now_text
from contract_tests.dashboard.hostile import PAYLOADS
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount

INJECTED = """[...document.querySelectorAll('*')].flatMap(each =>
    [...each.attributes].filter(one => /^on|^hx-on|^srcdoc$/.test(one.name)
        || /^\\s*(javascript|data):/i.test(one.value) && /^(href|src|action|data)$/.test(one.name)
        || /^\\s*(https?:)?\\/\\//.test(one.value) && /^(href|src|action)$/.test(one.name)
        || /^js:/.test(one.value))
    .map(one => `${each.tagName} ${one.name}=${one.value}`))
    .concat([...document.querySelectorAll(
        'script:not([src]), iframe, object, embed, base, xss'
    )].map(each => each.outerHTML))"""
LOOKS = ["*.css", "*.woff2", "*/echarts.min.js"]
"""What no name can run by, and takes the most of a page's time; the lists load it."""
GROUPS = ("model", "provider", "entity_id", "session_id", "tags[name]")


@pytest.fixture(scope="module")
def hostile_account(server: ServerProcess) -> TestAccount:
    """Every field that people or programs name something in has each of the sixty names."""
    account = server.add_account("hostile")
    client = server.client(account)
    client.ingest([_call(number, payload) for number, payload in enumerate(PAYLOADS)])
    for payload in PAYLOADS:
        _said(client, "PATCH", f"/v1/entities/customer/{quote(payload, safe='')}", payload)
    for payload in PAYLOADS[:50]:  # as many keys as an account may have, and a few to spare
        client.post("/v1/api-keys", {"name": payload[:100]})
    for payload in PAYLOADS[::4]:
        limit = {"entity_type": "customer", "entity_id": payload, "metric": "requests"}
        client.post("/v1/limits", {**limit, "amount": 1, "period": "day"})
    client.close()
    return account


def _call(number: int, payload: str) -> dict[str, Any]:
    return {
        "id": f"hostile-{number}-{payload}"[:128],
        "timestamp": now_text(),
        "provider": payload[:64],
        "model": payload,
        "input_tokens": 100 + number,
        "entity_type": "customer",
        "entity_id": payload,
        "session_id": payload,
        "tags": {"name": payload, payload[:64]: "key"},
        "success": number % 2 == 0,
        "error_type": payload[:64],
        "error_code": payload[:64],
    }


def _said(client: Client, method: str, path: str, payload: str) -> None:
    answer = client.send(method, path, {"name": payload, "revenue_usd_monthly": 0.01})
    assert answer.status == 200, answer


@pytest.fixture(scope="module")
def ran() -> list[str]:
    """What ran in the browser, opened a box or left for elsewhere: nothing must."""
    return []


@pytest.fixture(scope="module")
def hostile_page(
    browser: Browser, server: ServerProcess, hostile_account: TestAccount, ran: list[str]
) -> Iterator[Page]:
    """A browser without the policy."""
    context: BrowserContext = browser.new_context(base_url=server.url, bypass_csp=True)
    context.expose_function("ran", lambda number: ran.append(f"ran {number}"))
    context.on("request", lambda request: _note(request, server, ran))
    sign_in_browser(context, server, hostile_account)
    page = context.new_page()
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()


def _note(request: Request, server: ServerProcess, ran: list[str]) -> None:
    if is_elsewhere(request.url, server):
        ran.append(request.url)


def test_r42_no_name_runs_in_any_list(hostile_page: Page, ran: list[str]) -> None:
    page = hostile_page
    lists = ["/", "/?by=tags[name]", "/entities", "/entities?offset=50", "/sessions", "/limits"]
    lists += [
        "/events",
        "/events?offset=50",
        "/keys",
        "/alerts?status=all",
        "/prices",
        "/limits/new",
    ]
    lists += [f"/explorer?{urlencode({'group': field, 'range': '24h'})}" for field in GROUPS]
    for path in lists:
        page.goto(path)
        wait_for_numbers(page)
        assert page.locator("h1").count() == 1, path
        assert page.evaluate(INJECTED) == [], path
    # What a chart tells of a bar is drawn, too.
    page.goto("/explorer?group=model&range=24h")
    page.locator("figure[data-drawn] canvas").hover(position={"x": 600, "y": 150})
    assert page.evaluate(INJECTED) == []
    assert ran == []


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_r42_no_name_runs_on_its_own_pages(
    hostile_page: Page,
    ran: list[str],
    server: ServerProcess,
    hostile_account: TestAccount,
    first: int,
) -> None:
    """The entity's page of each name, and by turns its call's and what says back an address."""
    page = hostile_page
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setBlockedURLs", {"urls": LOOKS})
    client = server.client(hostile_account)
    ids = [event["id"] for event in client.ok("/v1/events", {"limit": 100})["data"]]
    client.close()
    for number in range(first, first + 10):
        payload = PAYLOADS[number]
        paths = [f"/entities/customer/{quote(payload, safe='')}"]
        match number % 10:
            case 0:
                paths.append(f"/events/{quote(ids[number], safe='')}")
            case 2:
                paths.append(f"/explorer?{urlencode({'model': payload, 'metric': payload})}")
            case 4:
                paths.append(f"/events?{urlencode({'model': payload, 'tag': f'name={payload}'})}")
            case 6:
                paths.append(f"/explorer?{urlencode({'entity_id': payload, 'group': 'model'})}")
            case 8:
                paths.append(f"/entities?{urlencode({'q': payload, 'type': payload})}")
        for path in paths:
            page.goto(path, wait_until="domcontentloaded")
            assert page.locator("h1").count() == 1, path
            assert page.evaluate(INJECTED) == [], path
    devtools.send("Network.setBlockedURLs", {"urls": []})
    devtools.detach()
    assert ran == []
