"""Settings as a person changes them, and what the SDK reported as a person reads it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from contract_tests.harness.server_process import ServerProcess, TestAccount


def test_account_and_alerts_are_changed(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("settings-page")
    client = server.client(account)
    page = sign_in(account)
    page.goto("/settings")
    form = page.get_by_role("region", name="Account")
    form.get_by_label("Company").fill("Finance & Co")
    form.get_by_label("Time zone").fill("Europe/Berln")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("use Europe/Berlin")).to_be_visible()
    expect(form.get_by_label("Company")).to_have_value("Finance & Co")
    form.get_by_label("Time zone").fill("Europe/Berlin")
    form.get_by_label("Keep calls for").fill("ninety")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("A whole number")).to_be_visible()

    # To keep less deletes: it is asked for, and not done before it is agreed to.
    form.get_by_label("Keep calls for").fill("90")
    form.get_by_role("button", name="Save").click()
    sure = form.get_by_label("Delete calls older than 90 days")
    expect(sure).not_to_be_checked()
    assert client.get("/v1/me").json()["retention_days"] is None
    sure.check()
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    me = client.get("/v1/me").json()
    assert me["company"] == "Finance & Co"
    assert me["timezone"] == "Europe/Berlin"
    assert me["retention_days"] == 90
    expect(page.get_by_text("Finance & Co", exact=True)).to_be_visible()

    alerts = page.get_by_role("region", name="Alerts")
    alerts.get_by_label("Also what is slight").check()
    alerts.get_by_label("Tell from").fill("12,5")
    alerts.get_by_label("Only these types").fill("customer, team")
    alerts.get_by_label("Quiet until").fill("2036-01-01T12:00")
    alerts.get_by_role("button", name="Save").click()
    expect(alerts.get_by_label("Tell from")).to_have_attribute("aria-invalid", "true")
    alerts.get_by_label("Tell from").fill("12.50")
    alerts.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    stored = client.get("/v1/anomalies/settings").json()
    assert stored["sensitivity"] == "high"
    assert str(stored["minimum_impact_usd"]) == "12.5"
    assert stored["watched_types"] == ["customer", "team"]
    assert stored["snoozed_until"] == "2036-01-01T11:00:00Z"  # noon in Berlin
    alerts.get_by_label("Only these types").fill("")
    alerts.get_by_label("Quiet until").fill("")
    alerts.get_by_role("button", name="Save").click()
    stored = client.get("/v1/anomalies/settings").json()
    assert (stored["watched_types"], stored["snoozed_until"]) == (None, None)
    client.close()


def test_what_the_sdk_lost_is_told_with_its_reason(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("sdk-page")
    page = sign_in(account)
    page.goto("/sdk")
    expect(page.get_by_text("No SDK has reported yet")).to_be_visible()
    client = server.client(account)
    report = {"runtime": "python 3.12", "queued": 1_010, "sent": 1_000}
    client.post("/v1/sdk/reports", {**report, "version": "0.1.0", "dropped": {"queue_full": 7}})
    client.post("/v1/sdk/reports", {**report, "version": "0.2.0", "dropped": {"at_exit": 3}})
    client.close()
    page.reload()
    lost = page.get_by_role("table").filter(has_text="Reason")
    expect(lost.get_by_role("row", name="queue_full")).to_contain_text("7")
    expect(lost.get_by_role("row", name="at_exit")).to_contain_text("Call close()")
    expect(page.get_by_text("0.5 % of the calls")).to_be_visible()
    versions = page.get_by_role("table").filter(has_text="Version")
    expect(versions.get_by_role("row", name="0.2.0")).to_contain_text("1,000")
    expect(page.locator("figure[data-drawn]")).to_be_visible()
