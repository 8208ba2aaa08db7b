"""Exports as a person makes, downloads and cancels them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from contract_tests.harness.server_process import ServerProcess, TestAccount


def test_an_export_is_made_downloaded_and_deleted(
    server: ServerProcess, sign_in: Callable[[TestAccount], Page]
) -> None:
    account = server.add_account("exports-page")
    client = server.client(account)
    call = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 0}
    calls = [
        {**call, "id": f"call-{n}", "timestamp": "2026-03-02T10:00:00Z", "tags": {"plan": plan}}
        for n, plan in enumerate(["free", "paid", "free"])
    ]
    client.ingest(calls)
    page = sign_in(account)
    page.goto("/exports")
    page.get_by_label("From").fill("2026-03-31")
    page.get_by_label("To", exact=True).fill("2026-03-01")
    page.get_by_label("CSV").check()
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_label("From")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("CSV")).to_be_checked()
    page.get_by_label("From").fill("2026-03-01")
    page.get_by_label("To", exact=True).fill("2026-03-31")
    page.get_by_text("Only some calls").click()
    page.get_by_label("Tag").fill("paid")
    page.get_by_role("button", name="Make the file").click()
    expect(page.get_by_text("A tag is written key=value")).to_be_visible()
    page.get_by_label("Tag").fill("plan=paid")
    page.get_by_role("button", name="Make the file").click()

    row = page.get_by_role("row", name="CSV")
    expect(row).to_contain_text("ready")  # the page renews itself
    expect(row).to_contain_text("from 1 Mar 2026 to 31 Mar 2026 tag plan paid")
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    lines = Path(started.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert "call-1" in lines[1]
    assert started.value.suggested_filename.endswith(".csv")

    row.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the export").click()
    expect(page.get_by_text("No files yet")).to_be_visible()
    assert client.get("/v1/exports").json()["data"] == []
    client.close()
