"""One Chromium for all tests of a worker, and a browser that is signed in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect, sync_playwright

from contract_tests.dashboard.browser import is_elsewhere, launch, sign_in_browser
from contract_tests.dashboard.pages import SHOWN, SHOWN_IDS
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import MAKERS, begin


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    expect.set_options(timeout=20_000)  # on a busy machine a page takes its time
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shown_account(server: ServerProcess) -> TestAccount:
    """An account that every address in PAGES shows something of."""
    account = server.add_account("dashboard-shown")
    client = server.client(account)
    begin(client, "shown")
    client.ingest([{**SHOWN, "timestamp": now_text()}])
    client.close()
    return account


@pytest.fixture(scope="session")
def shown_ids(server: ServerProcess, shown_account: TestAccount) -> dict[str, str]:
    """What the account has one of, by the name that addresses in PAGES call it by."""
    client = server.client(shown_account)
    made = {name: MAKERS[f"{name}_id"](client, "shown") for name in SHOWN_IDS}
    client.close()
    return made


@pytest.fixture
def outside() -> list[str]:
    """Requests for another host: there must be none."""
    return []


@pytest.fixture(scope="session")
def shared_context(browser: Browser, server: ServerProcess) -> Iterator[BrowserContext]:
    """What all tests of a worker open their pages in: a new one takes a second of CPU."""
    made = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def context(
    shared_context: BrowserContext, server: ServerProcess, outside: list[str]
) -> Iterator[BrowserContext]:
    """A browser without any cookie, page or memory, that notes what would leave the server."""

    def look(request: Request) -> None:
        if is_elsewhere(request.url, server):
            outside.append(request.url)

    shared_context.on("request", look)
    yield shared_context
    for number, page in enumerate(shared_context.pages):
        if number == 0:
            forget = {"origin": server.url, "storageTypes": "local_storage"}
            shared_context.new_cdp_session(page).send("Storage.clearDataForOrigin", forget)
        page.close()
    shared_context.clear_cookies()
    shared_context.remove_listener("request", look)
    assert outside == []


@pytest.fixture
def sign_in(server: ServerProcess, context: BrowserContext) -> Callable[[TestAccount], Page]:
    """Opens a page that is signed in as an account, by a session made beside the server."""

    def open_page(account: TestAccount) -> Page:
        sign_in_browser(context, server, account)
        return context.new_page()

    return open_page


def now_text() -> str:
    """This second as a timestamp of the API."""
    return datetime.fromtimestamp(int(time.time()), UTC).isoformat()
