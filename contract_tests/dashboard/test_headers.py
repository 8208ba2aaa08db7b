"""R41: every route of the dashboard is known to these tests, and has the strict headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from contract_tests.dashboard.browser import session_cookie
from contract_tests.dashboard.pages import FORMS, PAGES
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount
from infraprism_server.dashboard.routes import ROUTES

APART = {"/static/{asked_version:str}/{path:path}", "/sign-in", "/sign-in/link", "/explorer.csv"}
"""Tested on their own: files, what needs no session, a download."""


@pytest.fixture(scope="module")
def cookie(server: ServerProcess, shown_account: TestAccount) -> dict[str, str]:
    return {"Cookie": f"infraprism_session={session_cookie(server, shown_account)}"}


@pytest.fixture
def visitor(server: ServerProcess) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


def _routes(method: str) -> set[str]:
    found = {path for route in ROUTES if method in route.http_methods for path in route.paths}
    return found - APART


def _covers(route: str, address: str) -> bool:
    pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(route))
    return re.fullmatch(pattern, address.split("?", maxsplit=1)[0]) is not None


def test_r41_no_route_is_missing_from_the_tests() -> None:
    """A page that is not in PAGES, or a form that is not in FORMS, would be tested by nothing."""
    pages = {route for route in _routes("GET") if not any(_covers(route, at) for at in PAGES)}
    forms = {route for route in _routes("POST") if not any(_covers(route, at) for at in FORMS)}
    downloads = {route for route in pages if "download" in route or route.endswith(".csv")}
    assert pages - downloads == set()
    assert forms == set()


def test_r41_every_page_has_the_strict_headers(
    visitor: Client, cookie: dict[str, str], shown_ids: dict[str, str]
) -> None:
    asked = {at.format(**shown_ids): 200 for at in ["/sign-in", *PAGES]}
    asked |= {"/nothing-here": 404, "/events/none": 404, "/explorer?tag=x": 400, "/first-key": 405}
    for path, status in asked.items():
        answer = visitor.request("GET", path, headers={"Accept": "text/html", **cookie})
        policy = answer.headers["content-security-policy"]
        assert answer.status == status, path
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["referrer-policy"] == "same-origin", path
        assert answer.headers["cache-control"] == "no-store", path
        inline = rb"<script(?![^>]*src=)| on[a-z]+=| style="
        assert not re.search(inline, answer.body), path


def test_r41_cookies_are_out_of_reach(
    visitor: Client, server: ServerProcess, account_a: TestAccount
) -> None:
    """Of scripts, and of other sites; over https they stay there."""
    form = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": server.url,
        "Sec-Fetch-Site": "same-origin",
    }
    answer = visitor.request("POST", "/sign-in", f"key={account_a.key}&next=/".encode(), form)
    assert answer.status == 303
    parts = {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= parts
