"""A walk over every page and every action as a user takes it, whatever the account has stored.

Over the links and buttons a person sees, never by an address typed; what goes wrong in the browser
(an error on its console, a request that leaves the server, an answer from 400 on) ends it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, Page, Request, Response, expect

from benchmarks.loading import LoadOrder, load_in_child
from contract_tests.conftest import ENVIRONMENT
from contract_tests.dashboard.browser import is_elsewhere, sign_in_browser, wait_for_numbers
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.notifications.receiver import Receiver

PATIENCE_MS = 60_000
PAGES = {
    "Overview",
    "Explorer",
    "Entities",
    "Sessions",
    "Events",
    "Alerts",
    "Limits",
    "Webhooks",
    "Exports",
    "API keys",
    "Prices",
    "SDK health",
    "Settings",
}
"""What the menu leads to, all of it."""


def walk_over_generated(browser: Browser, server: ServerProcess, seed: int, *, events: int) -> int:
    """Load so many events of a running server's new account, as the benchmarks do, and walk."""
    account = server.add_account("walked")
    server.kill()
    end_us = time.time_ns() // 1_000
    load_in_child(LoadOrder(str(server.data_dir), None, account.email, events, end_us, seed))
    server.start()
    return walk(browser, server, account)


def walk_over_the_sample(browser: Browser, folder: Path) -> int:
    """`infraprism serve --bootstrap` on an empty folder, and a walk over the real trace."""
    folder.mkdir()
    with ServerProcess(folder, ENVIRONMENT, "--bootstrap") as server:
        key = _until(server, re.compile(r"ip-\w+"))
        _until(server, re.compile("Dashboard, signed in"))
        client = Client(server.url, key)
        me = client.ok("/v1/me")
        client.close()
        return walk(browser, server, TestAccount(me["id"], me["email"], key))


def _until(server: ServerProcess, told: re.Pattern[str]) -> str:
    """What a starting server prints, as soon as it is there."""
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while (found := told.search(server.log())) is None:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
    return found[0]


def walk(browser: Browser, server: ServerProcess, account: TestAccount) -> int:
    """Every page and action once; how many pages were opened."""
    expect.set_options(timeout=PATIENCE_MS)
    with _signed_in(browser, server, account) as page:
        opened: set[str] = set()
        page.on("framenavigated", lambda frame: opened.add(frame.url))
        page.goto("/")
        steps = _Steps(page)
        steps.menu()
        for look in (
            steps.overview,
            steps.explorer,
            steps.entities,
            steps.sessions,
            steps.events,
            steps.limits,
            steps.webhooks,
            steps.exports,
            steps.keys,
            steps.prices,
            steps.alerts,
            steps.sdk_health,
            steps.settings,
            steps.leave,
        ):
            look()
        assert steps.opened == PAGES
        return len(opened)


@contextmanager
def _signed_in(browser: Browser, server: ServerProcess, account: TestAccount) -> Iterator[Page]:
    wrong: list[str] = []

    def note(request: Request) -> None:
        if is_elsewhere(request.url, server):
            wrong.append(f"left the server: {request.url}")

    def look(answer: Response) -> None:
        if answer.status >= 400:
            wrong.append(f"{answer.status} {answer.url}")

    context = browser.new_context(
        base_url=server.url, viewport={"width": 1280, "height": 900}, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE_MS)
    context.on("request", note)
    sign_in_browser(context, server, account)
    page = context.new_page()
    page.on(
        "console",
        lambda message: wrong.append(message.text) if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("response", look)
    yield page
    context.close()
    assert wrong == []


class _Steps:
    """A page and what is done on it; each begins at the menu and leaves nothing behind."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.opened: set[str] = set()

    def open(self, title: str) -> None:
        """By the menu, until its numbers are there."""
        self.opened.add(title)
        menu = self._page.get_by_role("navigation", name="Pages")
        menu.get_by_role("link", name=title, exact=True).click()
        self.arrived()
        expect(menu.get_by_role("link", name=title, exact=True)).to_have_attribute(
            "aria-current", "page"
        )

    def arrived(self) -> None:
        """The page is there, and its scripts listen."""
        self._page.wait_for_load_state("load")
        expect(self._page.get_by_role("heading", level=1)).to_be_visible()
        wait_for_numbers(self._page)

    def follow(self, link: str | re.Pattern[str], within: str = "main") -> None:
        """The first link of that name."""
        self._page.locator(within).get_by_role("link", name=link).first.click()
        self.arrived()

    def menu(self) -> None:
        links = self._page.get_by_role("navigation", name="Pages").get_by_role("link")
        assert {text.strip() for text in links.all_inner_texts()} == PAGES

    def overview(self) -> None:
        page = self._page
        self.open("Overview")
        ranges = page.get_by_role("navigation", name="Range")
        for text in ranges.get_by_role("link").all_inner_texts():
            ranges.get_by_role("link", name=text, exact=True).click()
            self.arrived()
        ranges.get_by_role("link", name="90 days", exact=True).click()
        self.arrived()
        types = page.get_by_role("navigation", name="Entity type")
        if types.count():  # the sample has one type alone
            types.get_by_role("link").last.click()
            self.arrived()
        self.follow("Why")
        expect(page.locator("[aria-labelledby=spend] tbody tr").first).to_be_visible()

    def explorer(self) -> None:
        page = self._page
        self.open("Explorer")
        for place, value in enumerate(("entity_id", "model")):
            with page.expect_navigation():
                page.locator("select[name=group]").nth(place).select_option(value)
            self.arrived()
        for name, values in (("metric", ("tokens", "latency")), ("interval", ("week", "day"))):
            for value in values:
                with page.expect_navigation():
                    page.locator(f"select[name={name}]").select_option(value)
                self.arrived()
        with page.expect_navigation():  # every customer, model and day may be too many for a file
            page.locator("select[name=group]").first.select_option("")
        self.arrived()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download CSV").click()
        assert Path(download.value.path()).stat().st_size > 0
        page.locator("#numbers tbody").get_by_role("link").first.click()
        self.arrived()

    def entities(self) -> None:
        page = self._page
        self.open("Entities")
        rows = page.locator("#rows tbody tr")
        address = rows.first.get_by_role("link").first.get_attribute("href") or ""
        first = unquote(urlsplit(address).path.rsplit("/", 1)[-1])
        page.get_by_role("link", name="Who").click()
        self.arrived()
        page.get_by_role("searchbox").press_sequentially(first)
        expect(rows.first).to_contain_text(first)
        self.follow(re.compile(re.escape(first)), within="#rows")
        page.locator("input[name=name]").fill("Walked by")
        page.locator("input[name=revenue]").fill("0.01")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").first).to_contain_text("Saved")
        expect(page.get_by_role("heading", level=1)).to_have_text("Walked by")
        self.open("Entities")
        expect(page.get_by_role("region", name="Cost more than they bring").first).to_contain_text(
            "Walked by"
        )
        self.follow("Walked by")
        page.locator("input[name=name]").fill("")
        page.locator("input[name=revenue]").fill("")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").first).to_contain_text("Saved")

    def sessions(self) -> None:
        self.open("Sessions")
        rows = self._page.locator("tbody tr")
        if rows.count() == 0:  # the sample knows of none
            return
        rows.first.get_by_role("link").first.click()
        self.arrived()

    def events(self) -> None:
        page = self._page
        self.open("Events")
        page.locator("select[name=success]").select_option("true")
        page.get_by_role("button", name="Show").click()
        self.arrived()
        page.locator("tbody th a").first.click()
        self.arrived()
        lines = page.get_by_role("region", name="What it cost, and why").locator("tbody tr")
        assert lines.count() >= 1
        self.open("Events")
        page.get_by_role("link", name="Follow live").click()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.get_by_role("link", name="Stop").click()

    def limits(self) -> None:
        page = self._page
        self.open("Limits")
        self.follow(re.compile("Make the first one|New limit"))
        page.get_by_label("At most").fill("1000000")
        page.get_by_role("button", name="Make the limit").click()
        expect(page.get_by_role("status")).to_have_text("Created.")
        self.follow(re.compile("^Change the limit of"))
        page.get_by_label("At most").fill("2000000")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("At most")).to_have_value(re.compile("^2[,.]?000[,.]?000"))
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete the limit").click()
        expect(page.get_by_text("No limits yet")).to_be_visible()

    def webhooks(self) -> None:
        page = self._page
        with Receiver() as receiver:
            self.open("Webhooks")
            self.follow("Make the first one")
            page.get_by_label("Address").fill(receiver.url)
            page.get_by_role("button", name="Make the webhook").click()
            page.get_by_role("button", name="Send a test").click()
            expect(page.get_by_role("row", name="webhook.test")).to_contain_text("delivered")
            page.get_by_role("button", name="Make a new secret").first.click()
            page.get_by_role("dialog").get_by_role("button", name="Make a new secret").click()
            expect(page.get_by_label("The new secret", exact=True)).to_be_visible()
        self.arrived()
        page.get_by_role("button", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete the webhook").click()
        expect(page.get_by_text("No webhooks yet")).to_be_visible()

    def exports(self) -> None:
        page = self._page
        self.open("Exports")
        day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
        page.get_by_label("From").fill(day)
        page.get_by_label("To", exact=True).fill(day)
        page.get_by_label("CSV").check()
        page.get_by_role("button", name="Make the file").click()
        row = page.get_by_role("row", name="CSV")
        expect(row).to_contain_text("ready")
        with page.expect_download() as started:
            row.get_by_role("link", name="Download").click()
        with Path(started.value.path()).open(encoding="utf-8") as file:
            assert sum(1 for _ in file) > 1
        row.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete the export").click()
        expect(page.get_by_text("No files yet")).to_be_visible()

    def keys(self) -> None:
        page = self._page
        self.open("API keys")
        page.get_by_label("Name").fill("Walk")
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_label("The new key", exact=True)).to_be_visible()
        self.open("API keys")
        row = page.get_by_role("row", name="Walk")
        row.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete the key").click()
        expect(page.get_by_role("status")).to_have_text("Deleted.")

    def prices(self) -> None:
        """A price of one's own, and what it would change: counted over all that is stored."""
        page = self._page
        self.open("Prices")
        page.get_by_label("Provider", exact=True).fill("openai")
        page.get_by_label("Model", exact=True).fill("gpt-4o")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("gpt-4o of openai")
        self.follow(re.compile("Set a price|New price|Set one"))
        page.get_by_label("Provider", exact=True).fill("openai")
        page.get_by_label("Model", exact=True).fill("gpt-4o-mini")
        page.get_by_label("Input tokens").fill("0.75")
        page.get_by_label("Why").fill("a walk")
        page.get_by_role("button", name="Set the price").click()
        own = page.get_by_role("table").filter(has_text="a walk")
        expect(own).to_contain_text("$0.75")
        self.follow(re.compile("Price calls again|price them again"))
        page.get_by_role("button", name="Show what would change").click()
        expect(page.get_by_role("heading", name="What would change")).to_be_visible()
        self.open("Prices")
        own.get_by_role("button", name="Remove").click()
        page.get_by_role("button", name="Remove the price").click()
        expect(page.get_by_text("No prices of your own")).to_be_visible()

    def alerts(self) -> None:
        page = self._page
        self.open("Alerts")
        self.follow("Planned activity")
        page.get_by_label("From").fill("2026-03-02T09:00")
        page.get_by_label("Until").fill("2026-03-02T18:00")
        page.get_by_label("What for").fill("a walk")
        page.get_by_role("button", name="Plan it").click()
        page.get_by_role("row", name="a walk").get_by_role("button", name="Remove").click()
        page.get_by_role("button", name="Remove it").click()
        expect(page.get_by_text("Nothing is planned")).to_be_visible()

    def sdk_health(self) -> None:
        self.open("SDK health")

    def settings(self) -> None:
        page = self._page
        for zone in ("Europe/Berlin", "UTC"):
            self.open("Settings")
            form = page.get_by_role("region", name="Account")
            form.get_by_label("Time zone").fill(zone)
            form.get_by_role("button", name="Save").click()
            expect(page.get_by_role("status")).to_have_text("Saved.")
            self.open("Overview")

    def leave(self) -> None:
        self._page.get_by_role("button", name="Sign out").click()
        expect(self._page.get_by_label("API key")).to_be_visible()
