"""Limits as a person makes, reads, changes and deletes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from contract_tests.dashboard.browser import sign_in_browser
from contract_tests.dashboard.conftest import now_text
from contract_tests.harness.server_process import ServerProcess, TestAccount


@pytest.fixture
def account(server: ServerProcess) -> TestAccount:
    made = server.add_account("limits-page")
    client = server.client(made)
    call = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1_000_000, "output_tokens": 0}
    whose = {"entity_type": "customer", "entity_id": "acme"}
    client.ingest([{"id": "spent", "timestamp": now_text(), **call, **whose}])  # $2.50
    client.close()
    return made


def test_a_limit_is_made_read_changed_and_deleted(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page], account: TestAccount
) -> None:
    page = sign_in(account)
    page.goto("/limits")
    page.get_by_role("link", name="Make the first one").click()
    page.get_by_label("At most").fill("2,75")
    page.get_by_role("button", name="Make the limit").click()

    # What was typed wrong is told at its field, and kept.
    amount = page.get_by_label("At most")
    expect(amount).to_have_value("2,75")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(amount).to_be_focused()
    expect(page.get_by_text("A number, such as 100 or 49.90")).to_be_visible()
    amount.fill("$2.75")
    page.get_by_label("Tell and stop").check()
    page.get_by_label("Warn at, percent").fill("50, 120")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Percentages below 100")).to_be_visible()
    expect(page.get_by_label("Tell and stop")).to_be_checked()
    page.get_by_label("Warn at, percent").fill("50, 80")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Created.")
    near = page.get_by_role("region", name="Who is near a limit")
    expect(near.get_by_role("row").nth(1)).to_contain_text("90 %")
    client = server.client(account)
    made = client.get("/v1/limits").json()["data"][0]
    assert (made["entity_id"], made["amount"], made["action"]) == ("*", 2.75, "block")
    assert [str(each) for each in made["approaching"]] == ["0.5", "0.8"]

    near.get_by_role("link", name="The limit of acme").click()
    expect(page.get_by_label("Warn at, percent")).to_have_value("50, 80")
    page.get_by_label("At most").fill("2.50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Who is near it")).to_contain_text("stopped")
    assert client.get("/v1/limits").json()["data"][0]["state"] == "reached"

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the limit").click()
    expect(page.get_by_text("No limits yet")).to_be_visible()
    assert client.get("/v1/limits").json()["data"] == []
    client.close()


def test_without_scripts_a_limit_is_made_and_deleted_too(
    server: ServerProcess, browser: Browser, account_b: TestAccount
) -> None:
    context = browser.new_context(base_url=server.url, java_script_enabled=False)
    sign_in_browser(context, server, account_b)
    page = context.new_page()
    page.goto("/limits/new?entity_type=project&entity_id=no-scripts")
    page.get_by_label("At most").fill("7")
    page.get_by_role("button", name="Make the limit").click()
    page.get_by_role("link", name="Change the limit of no-scripts").click()
    # Roles are not told of what is inside of noscript.
    page.locator("noscript summary", has_text="Delete: really?").click()
    page.locator("noscript button", has_text="Delete the limit").click()
    expect(page.get_by_role("status")).to_have_text("Deleted.")
    expect(page.get_by_role("link", name="Change the limit of no-scripts")).to_have_count(0)
    context.close()


def test_a_form_that_is_sent_twice_makes_one_limit(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page], account_b: TestAccount
) -> None:
    page = sign_in(account_b)
    client = server.client(account_b)
    before = client.get("/v1/limits").json()["pagination"]["total"]
    page.goto("/limits/new?entity_type=team&entity_id=twice")
    expect(page.get_by_label("Id")).to_have_value("twice")
    page.get_by_label("At most").fill("10")
    form = page.evaluate(
        "new URLSearchParams(new FormData(document.querySelector('form.stack'))).toString()"
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": server.url,
        "Sec-Fetch-Site": "same-origin",
    }
    for _ in range(2):
        answer = page.request.post("/limits", data=form, headers=headers, max_redirects=0)
        assert answer.status == 303
    assert client.get("/v1/limits").json()["pagination"]["total"] == before + 1
    client.close()


def test_another_accounts_limit_is_not_found(
    sign_in: Callable[[TestAccount], Page], account_b: TestAccount, shown_ids: dict[str, str]
) -> None:
    page = sign_in(account_b)
    answer = page.goto(f"/limits/{shown_ids['limit']}")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("Nothing here")
