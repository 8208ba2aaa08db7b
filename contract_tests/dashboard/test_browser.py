"""What only a browser can tell: nothing is blocked, nothing leaves, nothing is hard to use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from contract_tests.dashboard.pages import PAGES
from contract_tests.harness.server_process import TestAccount

BEYOND = """[...document.querySelectorAll("*")]
    .filter(each => each.getBoundingClientRect().right > 376)
    .map(each => each.outerHTML.slice(0, 100)).slice(0, 5).join(" ; ")"""
AXE = Path(__file__).parents[2] / "server" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.xdist_group("browser")
def test_every_page_works_in_a_browser(
    sign_in: Callable[[TestAccount], Page],
    shown_account: TestAccount,
    shown_ids: dict[str, str],
) -> None:
    """No console error (a CSP violation is one), axe finds nothing serious, a phone is enough."""
    assert AXE.is_file(), "axe-core is missing; `make setup` fetches it"
    page = sign_in(shown_account)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else 0)
    page.on("pageerror", lambda error: told.append(str(error)))
    for path in [address.format(**shown_ids) for address in PAGES]:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(path)
        found = page.evaluate(
            AXE.read_text(encoding="utf-8")
            + "; axe.run({resultTypes: ['violations']}).then(found => found.violations"
            ".filter(each => ['serious', 'critical'].includes(each.impact))"
            ".map(each => each.id + ': ' + each.nodes.map(node => node.html).join(' | ')))"
        )
        assert found == [], path
        page.set_viewport_size({"width": 375, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        beyond = page.evaluate(BEYOND)
        assert wide <= 375, f"{path} is {wide} wide on a phone: {beyond}"
    assert told == []
