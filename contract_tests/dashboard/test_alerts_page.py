"""Alerts as a person reads and settles them, and what is planned."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.isolation.samples import MAKERS


def test_an_alert_is_looked_at_and_settled(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("alerts-page")
    client = server.client(account)
    anomaly_id = MAKERS["anomaly_id"](client, "alerts")
    page = sign_in(account)
    page.goto("/alerts")
    page.get_by_role("link", name="Look at the alert of alerts-odd").first.click()
    expect(page).to_have_url(f"{server.url}/alerts/{anomaly_id}")
    told = client.get(f"/v1/anomalies/{anomaly_id}").json()
    expect(page.get_by_role("region", name="What happened")).to_contain_text(told["text"])

    # The picture: drawn, with the odd hour marked and the band it was judged by.
    expect(page.locator("figure[data-drawn] canvas")).to_be_visible()
    chart = page.evaluate("JSON.parse(document.querySelector('[data-chart]').dataset.chart)")
    marked = [
        value
        for value, odd in zip(
            chart["series"][0]["values"], chart["series"][0]["marked"], strict=True
        )
        if odd
    ]
    assert max(marked) == 500
    place = chart["series"][0]["values"].index(500)
    assert chart["band"]["lower"][place] <= chart["band"]["middle"][place]
    assert chart["band"]["middle"][place] <= chart["band"]["upper"][place] < 500
    page.get_by_text("Numbers of the picture").click()
    numbers = page.get_by_role("table").filter(has_text="Ordinary from")
    expect(numbers.get_by_role("row").filter(has_text="odd").first).to_contain_text("$500.00")
    page.get_by_role("link", name="Look closer").click()
    expect(page).to_have_url(re.compile(r"/explorer\?.*entity_id=alerts-odd"))
    page.go_back()

    page.get_by_role("button", name="Mark as expected").click()
    expect(page.get_by_role("status")).to_have_text("Marked.")
    assert client.get(f"/v1/anomalies/{anomaly_id}").json()["status"] == "expected"
    page.get_by_role("button", name="Open it again").click()
    page.get_by_role("button", name="Resolve").click()
    assert client.get(f"/v1/anomalies/{anomaly_id}").json()["status"] == "resolved"
    page.goto("/alerts?status=resolved")
    page.get_by_label("Type").fill("Not a slug")
    page.get_by_label("Type").press("Enter")
    expect(page.get_by_role("heading")).to_have_text("That does not work")
    client.close()


def test_what_is_planned_is_announced_and_removed(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("planned-page")
    page = sign_in(account)
    page.goto("/alerts")
    expect(page.get_by_text("Nothing is out of the ordinary")).to_be_visible()
    page.get_by_role("link", name="Planned activity").click()
    page.get_by_label("From").fill("2026-03-02T09:00")
    page.get_by_label("Until").fill("2026-03-02T08:00")
    page.get_by_label("What for").fill("load test")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_label("From")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("What for")).to_have_value("load test")
    page.get_by_label("Until").fill("2026-03-02T18:30")
    page.get_by_label("One of them").check()
    page.get_by_label("Id").fill("acme")
    page.get_by_role("button", name="Plan it").click()
    row = page.get_by_role("row", name="acme")
    expect(row).to_contain_text("Mon 2 Mar 2026, 09:00 – 18:30")
    expect(row).to_contain_text("load test")
    client = server.client(account)
    planned = client.get("/v1/anomalies/planned").json()["data"]
    assert [(each["entity_id"], each["start"]) for each in planned] == [
        ("acme", "2026-03-02T09:00:00Z")
    ]
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Nothing is planned")).to_be_visible()
    assert client.get("/v1/anomalies/planned").json()["data"] == []
    client.close()
