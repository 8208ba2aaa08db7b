"""One Chromium for all tests of a worker, and a browser that is signed in."""

from __future__ import annotations

import http.client
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from contract_tests.dashboard.pages import SHOWN, SHOWN_IDS
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import MAKERS
from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.start import start_control_store
from infraprism_server.dashboard.service import SignInService

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "There is no Chromium on this machine; install it with `make browser`"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. A missing one fails, and says what installs it."""
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    assert path is not None, MISSING
    expect.set_options(timeout=20_000)  # on a busy machine a page takes its time
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--no-proxy-server"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def shown_account(server: ServerProcess) -> TestAccount:
    """An account that every address in PAGES shows something of."""
    account = server.add_account("dashboard-shown")
    client = server.client(account)
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
    """Requests to another host: there must be none."""
    return []


@pytest.fixture
def context(
    browser: Browser, server: ServerProcess, outside: list[str]
) -> Iterator[BrowserContext]:
    """A browser without any cookie, that notes and refuses what leaves the server."""
    made = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900})
    made.set_default_timeout(15_000)

    def guard(route: Route) -> None:
        if route.request.url.startswith(server.url):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    made.route(re.compile("^(?!data:|blob:)"), guard)
    yield made
    made.close()
    assert outside == []


@pytest.fixture
def sign_in(server: ServerProcess, context: BrowserContext) -> Callable[[TestAccount], Page]:
    """Opens a page that is signed in as an account, by a session made beside the server."""

    def open_page(account: TestAccount) -> Page:
        context.add_cookies(
            [
                {
                    "name": "infraprism_session",
                    "value": session_cookie(server, account),
                    "url": server.url,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
        return context.new_page()

    return open_page


def now_text() -> str:
    """This second as a timestamp of the API."""
    return datetime.fromtimestamp(int(time.time()), UTC).isoformat()


def sign_in_token(server: ServerProcess, account: TestAccount) -> str:
    """What `infraprism login-link` makes, without starting a process."""
    clock = SystemClock()
    engine = start_control_store(server.data_dir, None, clock.now_us(), holds_folder=False)
    try:
        number = AccountService(engine, clock).resolve(account.id).number
        return SignInService(engine, clock).make_link(number)
    finally:
        engine.dispose()


def session_cookie(server: ServerProcess, account: TestAccount) -> str:
    """The cookie of a browser that opened a sign-in link."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", f"/sign-in/link?token={sign_in_token(server, account)}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303
        return str(answer.headers["Set-Cookie"]).split(";")[0].split("=", 1)[1]
    finally:
        connection.close()
