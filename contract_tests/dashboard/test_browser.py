"""What only a browser can tell: nothing is blocked, nothing leaves, nothing is hard to use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from contract_tests.dashboard.browser import wait_for_numbers
from contract_tests.dashboard.pages import PAGES
from contract_tests.harness.server_process import TestAccount

GROUPS = 6
"""In which the pages are looked at: a browser knows a page's neighbours by then."""
DESK, PHONE = 1_280, 375
MOST_SHIFT = 0.05
"""Of the layout, as browsers score it; from 0.1 on people notice."""
BEYOND = """[...document.querySelectorAll("*")]
    .filter(each => each.getBoundingClientRect().right > 376)
    .map(each => each.outerHTML.slice(0, 100)).slice(0, 5).join(" ; ")"""
AXE = Path(__file__).parents[2] / "server" / "node_modules" / "axe-core" / "axe.min.js"
FOUND = """axe.run({resultTypes: ['violations'], ...OPTIONS}).then(found => found.violations
    .filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => each.id + ': ' + each.nodes.map(node => node.html).join(' | ')))"""
SHIFTS = """new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => {
        for (const each of list.getEntries()) if (!each.hadRecentInput) sum += each.value;
    }).observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(sum), 50);
})"""


@pytest.mark.parametrize("first", range(GROUPS))
def test_r41_every_page_works_in_a_browser(
    sign_in: Callable[[TestAccount], Page],
    shown_account: TestAccount,
    shown_ids: dict[str, str],
    first: int,
) -> None:
    """No console error (a CSP violation is one), no request elsewhere (the fixture notes them).

    And axe finds nothing serious in light and dark, nothing jumps, and a phone's width is enough.
    """
    assert AXE.is_file(), "axe-core is missing; `make setup` fetches it"
    page = sign_in(shown_account)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: told.append(str(error)))
    for address in PAGES[first::GROUPS]:
        look_at(page, address.format(**shown_ids))
        assert told == [], address


def look_at(page: Page, address: str) -> None:
    """One page as people with and without eyes, a dark room or a large screen have it."""
    page.set_viewport_size({"width": DESK, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto(address)
    wait_for_numbers(page)
    moved = page.evaluate(SHIFTS)
    assert moved < MOST_SHIFT, f"{address} jumps: {moved}"
    axe = AXE.read_text(encoding="utf-8")
    found = page.evaluate(axe + "; " + FOUND.replace("OPTIONS", "{}"))
    assert found == [], address
    page.emulate_media(color_scheme="dark")
    found = page.evaluate(FOUND.replace("OPTIONS", "{runOnly: ['color-contrast']}"))
    assert found == [], f"{address}, in the dark"
    page.set_viewport_size({"width": PHONE, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE, f"{address} is {wide} wide on a phone: {page.evaluate(BEYOND)}"


def test_the_pages_of_signing_in_and_of_beginning_work_too(
    sign_in: Callable[[TestAccount], Page], fresh_account: Callable[[], TestAccount]
) -> None:
    axe = AXE.read_text(encoding="utf-8")
    page = sign_in(fresh_account())
    for path in ("/sign-in", "/", "/events", "/explorer?tag=no-tag"):
        page.goto(path)
        found = page.evaluate(axe + "; " + FOUND.replace("OPTIONS", "{}"))
        assert found == [], path
        page.emulate_media(color_scheme="dark")
        found = page.evaluate(FOUND.replace("OPTIONS", "{runOnly: ['color-contrast']}"))
        assert found == [], f"{path}, in the dark"
        page.emulate_media(color_scheme="light")


def test_a_page_is_walked_by_keyboard(
    sign_in: Callable[[TestAccount], Page], shown_account: TestAccount
) -> None:
    """The first key leads past the navigation; menus and dialogs open, close and give back."""
    page = sign_in(shown_account)
    page.goto("/explorer")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    opener = page.get_by_role("button", name="API call")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="The same from the API")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    page.set_viewport_size({"width": PHONE, "height": 800})
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("link", name="Sessions")).to_be_hidden()
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Sessions")).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")


def test_the_chosen_colours_stay(
    sign_in: Callable[[TestAccount], Page], shown_account: TestAccount
) -> None:
    page = sign_in(shown_account)
    page.goto("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Light or dark").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.goto("/events")
    assert page.evaluate(ground) == dark
