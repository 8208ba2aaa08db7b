"""The system's Chromium, and how it is signed in without a process being started."""

from __future__ import annotations

import http.client
import shutil

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from contract_tests.harness.server_process import ServerProcess, TestAccount
from infraprism_server.accounts.service import AccountService
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.start import start_control_store
from infraprism_server.dashboard.service import SignInService

CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first that there is: the same browser without windows takes half the CPU."""
MISSING = "There is no Chromium on this machine; install it with `make browser`"
NOWHERE_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""No other host is reached, whatever a page asks for. Unlike a route it leaves the cache in use."""


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium. A missing one fails, and says what installs it."""
    path = next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)
    assert path is not None, MISSING
    args = ["--no-sandbox", "--disable-gpu", "--no-proxy-server", NOWHERE_ELSE]
    return playwright.chromium.launch(executable_path=path, args=args)


def is_elsewhere(url: str, server: ServerProcess) -> bool:
    """Whether a request leaves for another host than the server."""
    return not url.startswith((server.url, "data:", "blob:"))


def wait_for_numbers(page: Page) -> None:
    """Until the page has its numbers, and its charts are drawn."""
    expect(page.locator("#numbers[hx-get]")).to_have_count(0)
    expect(page.locator("[data-chart]:not([data-drawn])")).to_have_count(0)


def sign_in_browser(context: BrowserContext, server: ServerProcess, account: TestAccount) -> None:
    """Give a browser the cookie of a session that was made beside the server."""
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
