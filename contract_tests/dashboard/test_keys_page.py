"""API keys as a person makes and deletes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, expect

from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess, TestAccount


def test_a_key_is_made_shown_once_used_and_deleted(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("keys-page")
    page = sign_in(account)
    page.goto("/keys")
    page.get_by_label("Report calls").uncheck()
    page.get_by_label("Name").fill("x" * 201)
    page.get_by_label("Name").evaluate("(field, text) => (field.value = text)", "x" * 201)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("At most 200 characters")).to_be_visible()
    page.get_by_label("Name").fill("Nightly report")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("Choose at least one")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Nightly report")
    page.get_by_label("Read everything").check()
    page.get_by_label("Works until").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("in the future")).to_be_visible()
    ends = datetime.now(UTC) + timedelta(days=3)
    page.get_by_label("Works until").fill(ends.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Make the key").click()

    text = page.get_by_label("The new key", exact=True).inner_text()
    made = Client(server.url, text)
    assert made.get("/v1/usage").status == 200
    assert made.post("/v1/events", {"events": []}).status == 403
    assert text not in page.url
    page.reload()  # sent once more: it makes no second key, and shows the first one to nobody
    expect(page.get_by_role("alert")).to_contain_text("sent before")
    expect(page.get_by_role("row", name="Nightly report")).to_have_count(1)
    page.goto("/keys")
    assert text not in page.content()

    row = page.get_by_role("row", name="Nightly report")
    expect(row).to_contain_text("in 2 days")
    row.get_by_role("button", name="Delete").click()
    page.keyboard.press("Escape")  # thought better of it
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the key").click()
    expect(page.get_by_role("status")).to_have_text("Deleted.")
    expect(row).to_have_count(0)
    assert made.get("/v1/usage").status == 401
    made.close()
    assert text not in server.log()
