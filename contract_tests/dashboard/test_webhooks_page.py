"""Webhooks as a person makes, tries and repairs them."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from standardwebhooks import Webhook

from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.notifications.receiver import Receiver


def test_a_webhook_is_made_tried_and_its_secret_changed(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    page = sign_in(server.add_account("webhooks-page"))
    with Receiver(status=500) as receiver:
        page.goto("/webhooks")
        page.get_by_role("link", name="Make the first one").click()
        page.get_by_label("Address").fill("ftp://example.com/x")
        page.get_by_label("Exports that are ready").uncheck()
        page.get_by_role("button", name="Make the webhook").click()
        address = page.get_by_label("Address")
        expect(address).to_have_value("ftp://example.com/x")
        expect(address).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Exports that are ready")).not_to_be_checked()
        address.fill(receiver.url)
        page.get_by_role("button", name="Make the webhook").click()
        secret = page.get_by_label("The new secret", exact=True).inner_text()

        # A test that fails is seen to fail, without a reload, with its answer.
        page.get_by_role("button", name="Send a test").click()
        row = page.get_by_role("row", name="webhook.test")
        expect(row).to_contain_text("500")
        expect(row).to_contain_text("again in")
        assert secret not in page.content()
        receiver.status = 200
        row.get_by_role("button", name="Send webhook.test again").click()
        expect(row).to_contain_text("delivered")
        row.get_by_text(re.compile(r"\d attempts")).click()
        expect(row).to_contain_text("answered 500")
        expect(row).to_contain_text("answered 200")
        headers, body = receiver.got[-1]
        assert receiver.got[0][0]["webhook-id"] == headers["webhook-id"]
        Webhook(secret).verify(body, headers)

        page.get_by_role("button", name="Make a new secret").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Make a new secret").click()
        rotated = page.get_by_label("The new secret", exact=True).inner_text()
        before = len(receiver.got)
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("row", name="webhook.test")).to_have_count(2)
        receiver.wait_for(before + 1)
        headers, body = receiver.got[-1]
        assert rotated != secret
        Webhook(rotated).verify(body, headers)
        Webhook(secret).verify(body, headers)


def test_a_webhook_is_switched_off_and_on_changed_and_deleted(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("webhooks-changed")
    client = server.client(account)
    made = {"url": "https://127.0.0.1:8443/x", "events": ["anomaly.detected", "limit.reached"]}
    webhook_id = client.post("/v1/webhooks", made).json()["id"]
    page = sign_in(account)
    page.goto("/webhooks")
    page.get_by_role("link", name="https://127.0.0.1:8443/x", exact=True).click()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Switch it off").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("alert")).to_contain_text("disabled")
    page.get_by_role("button", name="Switch on").click()
    page.get_by_label("Alerts").uncheck()
    page.get_by_label("Models without a price").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("Saved.")
    client.close()
    client = server.client(account)  # a kept connection ends when nothing is said on it for long
    stored = client.get(f"/v1/webhooks/{webhook_id}").json()
    assert stored["enabled"] is True
    assert set(stored["events"]) == {"limit.reached", "pricing.unpriced"}

    page.wait_for_load_state("load")  # its scripts listen from then on
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page.get_by_text("No webhooks yet")).to_be_visible()
    assert client.get("/v1/webhooks").json()["data"] == []
    client.close()
