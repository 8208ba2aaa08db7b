"""Sixty hostile names in every field that has a name, in a browser whose CSP is off.

Escaping alone must hold then. That the policy is there as well is for test_headers.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

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
LISTS = (
    *("/", "/?by=tags[name]", "/entities", "/entities?offset=50", "/sessions", "/limits"),
    *("/events", "/events?offset=50", "/keys", "/alerts?status=all", "/prices", "/limits/new"),
    *(f"/explorer?{urlencode({'group': field, 'range': '24h'})}" for field in GROUPS),
)


def open_hostile_names(browser: Browser, server: ServerProcess, names: Sequence[str]) -> int:
    """Every list with all of PAYLOADS in it, and the own pages of `names`: how many were opened.

    AssertionError when one ran, opened a box, left for elsewhere, or stands in a page as markup.
    """
    account = server.add_account("hostile")
    client = server.client(account)
    _plant(client)
    ids = [event["id"] for event in client.ok("/v1/events", {"limit": 100})["data"]]
    client.close()
    with _without_policy(browser, server, account) as page:
        for path in LISTS:
            page.goto(path)
            wait_for_numbers(page)
            _look(page, path)
        # What a chart tells of a bar is drawn, too.
        page.goto("/explorer?group=model&range=24h")
        page.locator("figure[data-drawn] canvas").hover(position={"x": 600, "y": 150})
        _look(page, "a bar")
        devtools = page.context.new_cdp_session(page)
        devtools.send("Network.enable")
        devtools.send("Network.setBlockedURLs", {"urls": LOOKS})
        paths = [path for place, name in enumerate(names) for path in _own(name, place, ids)]
        for path in paths:
            page.goto(path, wait_until="domcontentloaded")
            _look(page, path)
    return len(LISTS) + len(paths)


def _own(name: str, place: int, ids: Sequence[str]) -> Iterator[str]:
    """The entity's page of a name, and by turns its call's and what says back an address."""
    yield f"/entities/customer/{quote(name, safe='')}"
    match place % 5:
        case 0:
            yield f"/events/{quote(ids[PAYLOADS.index(name)], safe='')}"
        case 1:
            yield f"/explorer?{urlencode({'model': name, 'metric': name})}"
        case 2:
            yield f"/events?{urlencode({'model': name, 'tag': f'name={name}'})}"
        case 3:
            yield f"/explorer?{urlencode({'entity_id': name, 'group': 'model'})}"
        case 4:
            yield f"/entities?{urlencode({'q': name, 'type': name})}"


def _look(page: Page, path: str) -> None:
    assert page.locator("h1").count() == 1, path
    assert page.evaluate(INJECTED) == [], path


def _plant(client: Client) -> None:
    """Every field that people or programs name something in has each of the sixty names."""
    client.ingest([_call(number, payload) for number, payload in enumerate(PAYLOADS)])
    for payload in PAYLOADS:
        path = f"/v1/entities/customer/{quote(payload, safe='')}"
        answer = client.send("PATCH", path, {"name": payload, "revenue_usd_monthly": 0.01})
        assert answer.status == 200, answer
    for payload in PAYLOADS[:50]:  # as many keys as an account may have, and a few to spare
        client.post("/v1/api-keys", {"name": payload[:100]})
    for payload in PAYLOADS[::4]:
        limit = {"entity_type": "customer", "entity_id": payload, "metric": "requests"}
        client.post("/v1/limits", {**limit, "amount": 1, "period": "day"})


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


@contextmanager
def _without_policy(
    browser: Browser, server: ServerProcess, account: TestAccount
) -> Iterator[Page]:
    """A browser without the policy, in which nothing must have run in the end."""
    ran: list[str] = []

    def note(request: Request) -> None:
        if is_elsewhere(request.url, server):
            ran.append(request.url)

    context: BrowserContext = browser.new_context(base_url=server.url, bypass_csp=True)
    context.expose_function("ran", lambda number: ran.append(f"ran {number}"))
    context.on("request", note)
    sign_in_browser(context, server, account)
    page = context.new_page()
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
    assert ran == []
