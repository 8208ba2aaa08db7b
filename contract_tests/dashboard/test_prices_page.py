"""Prices as a person sets them, and prices stored calls again."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from contract_tests.dashboard.conftest import now_text
from contract_tests.harness.server_process import ServerProcess, TestAccount

CALL = {
    "provider": "own-llm",
    "model": "house-7b",
    "input_tokens": 2_000_000,
    "output_tokens": 0,
    "entity_type": "customer",
    "entity_id": "acme",
}


def test_an_unpriced_model_gets_a_price_and_its_calls_their_cost(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("prices-page")
    client = server.client(account)
    client.ingest([{**CALL, "id": "unpriced", "timestamp": now_text()}])
    page = sign_in(account)
    page.goto("/prices")
    page.get_by_role("link", name="Set a price for house-7b").click()
    expect(page.get_by_label("Provider", exact=True)).to_have_value("own-llm")
    page.get_by_label("Input tokens").fill("0.75")
    page.get_by_label("Discount, percent").fill("10")
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_text("and not both")).to_be_visible()
    page.get_by_label("Discount, percent").fill("")
    page.get_by_label("Input tokens").fill("cheap")
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_label("Input tokens")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Input tokens").fill("0.75")
    page.get_by_label("Why").fill("what the machine costs us")
    page.get_by_role("button", name="Set the price").click()
    expect(page.get_by_role("status").first).to_contain_text("price them again")
    own = page.get_by_role("table").filter(has_text="what the machine costs us")
    expect(own).to_contain_text("$0.75")
    assert client.get("/v1/events/unpriced").json()["cost_source"] == "unpriced"

    # First what would change, then the change.
    page.get_by_role("link", name="Price calls again").click()
    page.get_by_role("button", name="Show what would change").click()
    row = page.get_by_role("row", name="acme")
    expect(row).to_contain_text("+$1.50")
    assert client.get("/v1/events/unpriced").json()["cost_source"] == "unpriced"
    page.get_by_role("button", name="Change these costs").click()
    page.get_by_role("button", name="Change the costs").click()
    expect(page.get_by_role("heading", name="What has changed")).to_be_visible(timeout=15_000)
    changed = client.get("/v1/events/unpriced").json()
    assert (changed["cost_source"], str(changed["cost_usd"])) == ("computed", "1.5")

    page.goto("/prices")
    expect(page.get_by_text("Every call has a price")).to_be_visible()
    own.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove the price").click()
    expect(page.get_by_text("No prices of your own")).to_be_visible()
    assert client.get("/v1/prices").json()["data"] == []
    client.close()


def test_what_a_model_costs_is_looked_up(
    sign_in: Callable[[TestAccount], Page], account_b: TestAccount, shown_ids: dict[str, str]
) -> None:
    page = sign_in(account_b)
    page.goto("/prices")
    page.get_by_label("Provider", exact=True).fill("openai")
    page.get_by_label("Model", exact=True).fill("gpt-4o")
    page.keyboard.press("Enter")
    told = page.get_by_role("status")
    expect(told).to_contain_text("gpt-4o of openai, standard")
    expect(told).to_contain_text("Input tokens, a million$2.50")
    page.get_by_label("Model", exact=True).fill("nobody-listed-this")
    page.keyboard.press("Enter")
    expect(told).to_contain_text("No price is known")
    answer = page.goto(f"/prices/repricings/{shown_ids['repricing']}")
    assert answer is not None
    assert answer.status == 404
