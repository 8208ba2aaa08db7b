"""Signing in and out, who may post a form, and the headers of every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from contract_tests.dashboard.browser import session_cookie, sign_in_token
from contract_tests.dashboard.pages import FORMS, PAGES
from contract_tests.harness.client import Answer, Client
from contract_tests.harness.server_process import ServerProcess, TestAccount

SMALL_PAGE = "/exports"
"""What whoever is signed in may see, and costs little."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def cookie(server: ServerProcess, shown_account: TestAccount) -> str:
    return session_cookie(server, shown_account)


@pytest.fixture
def visitor(server: ServerProcess) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


def post(
    client: Client, path: str, fields: dict[str, str], headers: dict[str, str] | None = None
) -> Answer:
    sent = {**FORM, "Origin": client.url, "Sec-Fetch-Site": "same-origin", **(headers or {})}
    kept = {name: value for name, value in sent.items() if value}
    return client.request("POST", path, urlencode(fields).encode(), kept)


def with_cookie(cookie: str) -> dict[str, str]:
    return {"Cookie": f"infraprism_session={cookie}"}


def token_in(client: Client, cookie: str) -> str:
    page = client.request("GET", SMALL_PAGE, headers=with_cookie(cookie)).body.decode()
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", PAGES)
def test_without_a_session_every_page_leads_to_sign_in(visitor: Client, path: str) -> None:
    answer = visitor.request("GET", path)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_a_link_signs_in_once(
    visitor: Client, server: ServerProcess, account_a: TestAccount
) -> None:
    path = f"/sign-in/link?token={sign_in_token(server, account_a)}"
    first = visitor.request("GET", path)
    assert first.status == 303
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=Lax" in first.headers["set-cookie"]
    assert visitor.request("GET", path).status == 401


def test_a_link_followed_from_another_site_asks_first(
    visitor: Client, server: ServerProcess, account_a: TestAccount
) -> None:
    path = f"/sign-in/link?token={sign_in_token(server, account_a)}"
    asked = visitor.request("GET", path, headers={"Sec-Fetch-Site": "cross-site"})
    assert asked.status == 200
    assert "set-cookie" not in asked.headers
    assert b"Sign this browser in" in asked.body


def test_a_full_key_signs_in_and_ends_the_session_before(
    visitor: Client, server: ServerProcess, account_a: TestAccount
) -> None:
    former = session_cookie(server, account_a)
    answer = post(visitor, "/sign-in", {"key": account_a.key, "next": "/"}, with_cookie(former))
    assert answer.status == 303
    new = answer.headers["set-cookie"].split(";")[0].split("=", 1)[1]
    assert visitor.request("GET", "/", headers=with_cookie(new)).status == 200
    assert visitor.request("GET", "/", headers=with_cookie(former)).status == 303


def test_a_key_without_scope_full_does_not_sign_in(
    visitor: Client, server: ServerProcess, client_a: Client
) -> None:
    made = client_a.post("/v1/api-keys", {"name": "reader", "scopes": ["read"]}).json()
    answer = post(visitor, "/sign-in", {"key": made["key"]}, {"X-Forwarded-For": "203.0.113.8"})
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_attempts_are_throttled(visitor: Client) -> None:
    address = {"X-Forwarded-For": "203.0.113.9"}
    # A clock minute may begin in between: 41 attempts are too many for any two of them.
    statuses = [post(visitor, "/sign-in", {"key": "ip-wrong"}, address).status for _ in range(41)]
    assert set(statuses) == {401, 429}


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/\tx", "javascript:1"]
)
def test_sign_in_leads_to_no_other_host(
    visitor: Client, account_a: TestAccount, wanted: str
) -> None:
    answer = post(visitor, "/sign-in", {"key": account_a.key, "next": wanted})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ],
    ids=lambda wrong: " ".join(f"{name}={value or 'absent'}" for name, value in wrong.items()),
)
def test_r42_no_form_can_be_posted_from_elsewhere(
    visitor: Client, cookie: str, path: str, wrong: dict[str, str]
) -> None:
    """With the right token even: where it was sent from is judged on its own."""
    token = token_in(visitor, cookie)
    answer = post(visitor, path, {"csrf": token}, {**with_cookie(cookie), **wrong})
    assert answer.status == 403
    assert visitor.request("GET", SMALL_PAGE, headers=with_cookie(cookie)).status == 200


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "0" * 64, "not hexadecimal ✓"])
def test_r42_no_form_can_be_posted_without_its_token(
    visitor: Client, cookie: str, path: str, token: str
) -> None:
    answer = post(visitor, path, {"csrf": token}, with_cookie(cookie))
    assert answer.status == 403


def test_sign_out_ends_the_session_on_the_server(
    visitor: Client, server: ServerProcess, account_a: TestAccount
) -> None:
    cookie = session_cookie(server, account_a)
    token = token_in(visitor, cookie)
    assert post(visitor, "/sign-out", {"csrf": token}, with_cookie(cookie)).status == 303
    assert visitor.request("GET", "/", headers=with_cookie(cookie)).status == 303


def test_a_session_opens_no_api_route(visitor: Client, cookie: str) -> None:
    answer = visitor.request("GET", "/v1/me", headers=with_cookie(cookie))
    assert answer.status == 401
    unknown = visitor.request("GET", "/v1/nothing", headers={"Accept": "text/html"})
    assert unknown.headers["content-type"] == "application/json"


def test_static_files_are_kept_and_compressed(visitor: Client) -> None:
    page = visitor.request("GET", "/sign-in").body.decode()
    found = re.search(r'href="(/static/[0-9a-f]{16}/app\.css)"', page)
    assert found is not None
    answer = visitor.request("GET", found[1], headers={"Accept-Encoding": "gzip"})
    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert visitor.request("GET", "/static/0000/../session.py").status == 404
