"""What people come for, click by click."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from contract_tests.dashboard.browser import wait_for_numbers
from contract_tests.dashboard.conftest import now_text
from contract_tests.harness.server_process import ServerProcess, TestAccount

AXIS = 45
"""About how wide the axis of a chart is, pixels: less than half a bar off."""


def last_week(day: int) -> str:
    """Noon of a day of last week; 0 is its Monday."""
    today = datetime.now(UTC).date()
    monday: date = today - timedelta(days=today.weekday() + 7)
    return datetime.combine(monday + timedelta(days=day), time(12), UTC).isoformat()


def call(number: int, **parts: Any) -> dict[str, Any]:
    return {
        "id": f"journey-{number}",
        "timestamp": now_text(),
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "entity_type": "customer",
        "entity_id": "acme",
        "session_id": "talk-1",
        "tags": {"feature": "chatbot"},
        **parts,
    }


@pytest.fixture(scope="module")
def company(server: ServerProcess) -> TestAccount:
    """Last week globex was the dearest customer, with an agent; a project was dearer still."""
    account = server.add_account("company")
    client = server.client(account)
    agent = {"model": "gpt-4.1", "tags": {"feature": "agent"}}
    globex = {"entity_id": "globex", **agent, "input_tokens": 400_000}
    project = {"entity_type": "project", "entity_id": "batch", "input_tokens": 900_000}
    before = {"entity_id": "globex", "timestamp": last_week(-5), "input_tokens": 20_000}
    client.ingest(
        [
            call(1, timestamp=last_week(0)),
            call(2, timestamp=last_week(2), **globex),
            call(3, timestamp=last_week(3), **project),
            call(4, **before),
            call(5, input_tokens=3_000_000, model="no-such-model"),
            call(6, input_tokens=50_000, success=False, output_tokens=0, error_type="timeout"),
            call(7, session_id="talk-2", input_tokens=80_000),
        ]
    )
    client.close()
    return account


def row(page: Page, text: str) -> Locator:
    return page.locator("tbody tr", has_text=text)


def test_the_dearest_customer_of_last_week_and_why_in_three_clicks(
    sign_in: Callable[[TestAccount], Page], company: TestAccount, server: ServerProcess
) -> None:
    client = server.client(company)
    query = {"start_date": last_week(0)[:10], "end_date": last_week(6)[:10]}
    query |= {"entity_type": "customer", "group_by": "entity_id"}
    dearest = client.ok("/v1/usage", query)["data"][0]
    client.close()
    assert dearest["group"] == {"entity_id": "globex"}

    page = sign_in(company)
    page.goto("/")
    page.get_by_role("navigation", name="Range").get_by_role("link", name="Last week").click()
    page.get_by_role("navigation", name="Entity type").get_by_role("link", name="customer").click()
    first = page.get_by_role("region", name="Who costs most").locator("tbody tr").first
    expect(first).to_contain_text("globex")
    first.get_by_role("link", name="Why").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("globex")
    expect(page.locator(".why")).to_contain_text("mostly gpt-4.1")
    spend = page.locator("main dl.stats data").first
    assert Decimal(spend.get_attribute("value") or "") == dearest["cost_usd"]
    expect(row(page, "gpt-4.1").first).to_contain_text("100 %")


def test_spend_is_told_with_what_is_not_in_it(
    sign_in: Callable[[TestAccount], Page], company: TestAccount, server: ServerProcess
) -> None:
    """Of this week's three calls one has no price; the SDK lost one more."""
    client = server.client(company)
    report = {"version": "1.0.0", "runtime": "python 3.12", "dropped": {"queue_full": 1}}
    assert client.post("/v1/sdk/reports", report).status == 201
    client.close()
    page = sign_in(company)
    page.goto("/?range=24h")
    missing = page.locator(".stat", has_text="Not in the spend")
    expect(missing).to_contain_text("50.0 %")
    expect(missing).to_contain_text("1 calls without a price, 1 lost by the SDK")
    expect(page.locator(".stat", has_text="Failed calls")).to_contain_text("33.3 %")


def test_a_question_is_put_together_shared_and_taken_along(
    sign_in: Callable[[TestAccount], Page], company: TestAccount, server: ServerProcess
) -> None:
    """Three groups, a filter, a metric, an interval: the address has it all; file and API agree."""
    page = sign_in(company)
    page.goto("/explorer?range=30d")
    groups = page.locator("select[name=group]")
    for place, value in enumerate(["entity_id", "model", "tags[feature]"]):
        with page.expect_navigation():
            groups.nth(place).select_option(value)
    page.get_by_text("Filters, dates and time zone").click()
    with page.expect_navigation():
        page.locator("input[name=entity_type]").fill("customer")
        page.keyboard.press("Enter")
    with page.expect_navigation():
        page.locator("select[name=metric]").select_option("tokens")
    with page.expect_navigation():
        page.locator("select[name=interval]").select_option("week")
    wait_for_numbers(page)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["group"] == ["entity_id", "model", "tags[feature]"]
    assert asked["entity_type"] == ["customer"]
    assert (asked["metric"], asked["interval"]) == (["tokens"], ["week"])
    expect(row(page, "globex").first).to_contain_text("agent")

    shared = page.context.new_page()
    shared.goto(page.url)
    wait_for_numbers(shared)
    table = page.locator("#numbers table").first
    assert shared.locator("#numbers table").first.inner_text() == table.inner_text()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    file = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    client = server.client(company)
    curl = page.locator("dialog pre code").text_content() or ""
    address = re.search(r"curl '(http[^']+)'", curl)
    assert address is not None
    answer = client.request("GET", address[1].removeprefix(server.url)).json()
    client.close()
    total = answer["totals"]["cost_usd"]
    assert sum(Decimal(line["cost_usd"]) for line in file) == total
    told = page.locator("tfoot data").first.get_attribute("value")
    assert Decimal(told or "") == total


def test_a_bar_leads_closer(sign_in: Callable[[TestAccount], Page], company: TestAccount) -> None:
    """To its group and to its days; the table leads there without a mouse."""
    page = sign_in(company)
    page.goto("/explorer?group=entity_type&range=last-week")
    wait_for_numbers(page)
    figure = page.locator("[data-chart] canvas")
    box = figure.bounding_box()
    assert box is not None
    with page.expect_navigation():  # Thursday's bar, the highest; its foot is the dearest group
        middle = AXIS + (box["width"] - AXIS - 12) / 2
        figure.click(position={"x": middle, "y": box["height"] - 45})
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["start"] == asked["end"] == [last_week(3)[:10]]
    assert asked["entity_type"] == ["project"]
    wait_for_numbers(page)
    page.goto("/explorer?group=model&range=last-week")
    wait_for_numbers(page)
    with page.expect_navigation():
        row(page, "gpt-4.1").get_by_role("link").first.click()
    assert parse_qs(urlsplit(page.url).query)["model"] == ["gpt-4.1"]


def test_entities_are_searched_sorted_named_and_those_that_lose_are_told(
    sign_in: Callable[[TestAccount], Page], company: TestAccount
) -> None:
    page = sign_in(company)
    page.goto("/entities")
    rows = page.locator("#rows tbody tr")
    expect(rows.first).to_contain_text("batch")
    page.get_by_role("link", name="Who").click()
    expect(rows.first).to_contain_text("acme")
    expect(page.locator("th[aria-sort]")).to_contain_text("Who")
    page.wait_for_load_state("load")  # its scripts listen from then on
    page.get_by_role("searchbox").press_sequentially("glo")
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="globex").click()
    page.locator("input[name=revenue]").fill("12,5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("an amount of dollars, such as 499 or 49.90")).to_be_visible()
    page.locator("input[name=name]").fill("Globex Corporation")
    page.locator("input[name=revenue]").fill("0.01")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved")
    expect(page.get_by_role("heading", level=1)).to_have_text("Globex Corporation")
    page.goto("/entities")
    losing = page.get_by_role("region", name="Cost more than they bring").first
    expect(losing).to_contain_text("Globex Corporation")
    page.get_by_role("searchbox").press_sequentially("corporation")
    expect(rows).to_have_count(1)


def test_one_call_is_explained_line_by_line(
    sign_in: Callable[[TestAccount], Page], company: TestAccount, server: ServerProcess
) -> None:
    page = sign_in(company)
    page.goto("/sessions?range=30d")
    page.get_by_role("link", name="talk-2").click()
    page.locator("tbody th a").first.click()
    client = server.client(company)
    cost = client.ok("/v1/events/journey-7/cost")
    client.close()
    lines = page.get_by_role("region", name="What it cost, and why").locator("tbody tr")
    expect(lines).to_have_count(len(cost["lines"]))
    for place, line in enumerate(cost["lines"]):
        expect(lines.nth(place)).to_contain_text(f"{line['quantity']:,}")
        expect(lines.nth(place)).to_contain_text(f"${line['cost_usd']}")
    expect(page.locator("tfoot")).to_contain_text(f"${cost['cost_usd']}")


def test_calls_arrive_while_one_looks(
    sign_in: Callable[[TestAccount], Page], company: TestAccount, server: ServerProcess
) -> None:
    page = sign_in(company)
    page.goto("/events")
    page.get_by_role("link", name="Follow live").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    client = server.client(company)
    client.ingest([call(99, model="gpt-live-1")])
    client.close()
    expect(page.locator("tr.new")).to_contain_text("gpt-live-1")


def test_the_first_run_comes_alive(
    sign_in: Callable[[TestAccount], Page],
    fresh_account: Callable[[], TestAccount],
    server: ServerProcess,
) -> None:
    """The key is filled into both examples, and what curl sends makes the overview appear."""
    page = sign_in(fresh_account())
    page.goto("/")
    page.get_by_role("button", name="Make a key").click()
    curl = page.get_by_label("curl").text_content() or ""
    key = re.search(r"Bearer (ip-\w+)", curl)
    assert key is not None
    assert f"INFRAPRISM_API_KEY={key[1]}" in (page.get_by_label("Settings").text_content() or "")
    body = re.search(r"-d '(.*)'", curl, re.DOTALL)
    assert body is not None
    sent = re.sub(r"'\$\(date [^)]*\)'", now_text(), body[1])
    client = server.client()
    headers = {"Authorization": f"Bearer {key[1]}"}
    assert client.request("POST", "/v1/events", sent.encode(), headers).status == 200
    client.close()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("region", name="Who costs most").first).to_contain_text("acme-corp")
