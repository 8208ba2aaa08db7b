"""`python -m contract_tests.dashboard.screenshots`: pictures of the main pages for the documents.

They show a company that is invented (demo.py), on a server of their own. `--all FOLDER` takes every
page, light and dark, wide and narrow, of that company and of an empty account: to look at.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from contract_tests.conftest import ENVIRONMENT
from contract_tests.dashboard.browser import launch, sign_in_browser, wait_for_numbers
from contract_tests.dashboard.demo import WILD, fill
from contract_tests.harness.server_process import ServerProcess, TestAccount
from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies.service import AnomalyService
from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import MICROSECONDS_PER_DAY, SystemClock
from infraprism_server.control_store.start import start_control_store
from infraprism_server.dashboard.navigation import NAVIGATION

FOLDER = Path(__file__).parents[2] / "docs" / "images"
CALLS = 40_000
ANOMALY_SECONDS = 60.0
WIDE, NARROW = (1440, 900), (390, 844)
Theme = Literal["light", "dark"]
MAIN: dict[str, tuple[str, Theme]] = {
    "overview": ("/", "light"),
    "overview-dark": ("/", "dark"),
    "explorer": ("/explorer?range=30d&group=tags%5Bfeature%5D", "light"),
    "entity": (f"/entities/customer/{WILD}?range=7d", "light"),
}
"""What is committed, by file name."""


def main(arguments: list[str]) -> int:
    """Take them. 0 when all were taken."""
    parser = ArgumentParser(prog="python -m contract_tests.dashboard.screenshots")
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, to look at")
    parser.add_argument("--calls", type=int, default=CALLS, help=f"of the company [{CALLS}]")
    options = parser.parse_args(arguments)
    with (
        TemporaryDirectory(prefix="infraprism-screenshots-") as folder,
        ServerProcess(Path(folder), ENVIRONMENT) as server,
        sync_playwright() as playwright,
    ):
        account = server.add_account("demo")
        client = server.client(account)
        fill(client, calls=options.calls)
        _find_anomaly(server, account)
        browser = launch(playwright)
        if options.all:
            options.all.mkdir(parents=True, exist_ok=True)
            event = client.get("/v1/events?limit=1").json()["data"][0]["id"]
            _take_all(browser, server, account, options.all, event)
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for name, (path, theme) in MAIN.items():
                page = _open(browser, server, account, theme, WIDE)
                _show(page, path)
                _save(page.screenshot(), FOLDER / f"{name}.png")
                page.context.close()
        client.close()
        browser.close()
    return 0


def _take_all(
    browser: Browser, server: ServerProcess, account: TestAccount, folder: Path, event: str
) -> None:
    pages = {entry.name: entry.path for _, entries in NAVIGATION for entry in entries}
    pages |= {
        "entity": MAIN["entity"][0],
        "event": f"/events/{event}",
        "explorer-full": "/explorer?range=30d&group=entity_id&group=model&entity_type=customer",
        "explorer-line": "/explorer?range=30d&metric=latency&group=model",
        "error": "/explorer?tag=nonsense",
        "missing": "/events/nothing",
    }
    empty = server.add_account("empty")
    for theme in ("light", "dark"):
        for size in (WIDE, NARROW):
            for whose, who in (("", account), ("empty-", empty)):
                page = _open(browser, server, who, theme, size)  # type: ignore[arg-type]
                for name, path in pages.items():
                    _show(page, path)
                    file = folder / f"{whose}{name}-{theme}-{size[0]}.png"
                    file.write_bytes(page.screenshot(full_page=True))
                page.context.close()
            page = browser.new_context(
                base_url=server.url,
                viewport={"width": size[0], "height": size[1]},
                color_scheme=theme,  # type: ignore[arg-type]
            ).new_page()
            page.goto("/sign-in")
            (folder / f"sign-in-{theme}-{size[0]}.png").write_bytes(page.screenshot())
            page.context.close()


def _open(
    browser: Browser,
    server: ServerProcess,
    account: TestAccount,
    theme: Theme,
    size: tuple[int, int],
) -> Page:
    width, height = size
    context = browser.new_context(
        base_url=server.url, viewport={"width": width, "height": height}, color_scheme=theme
    )
    sign_in_browser(context, server, account)
    return context.new_page()


def _show(page: Page, path: str) -> None:
    """Go there, and wait until its charts are drawn."""
    page.goto(path)
    wait_for_numbers(page)
    page.wait_for_timeout(100)


def _save(picture: bytes, file: Path) -> None:
    image = Image.open(BytesIO(picture)).convert("RGB")
    image.save(file, optimize=True)
    sys.stdout.write(f"{file.name}: {file.stat().st_size // 1024} KiB\n")


def _find_anomaly(server: ServerProcess, account: TestAccount) -> None:
    """Have the server judge the last day; the company has one."""
    clock = SystemClock()
    engine = start_control_store(server.data_dir, None, clock.now_us(), holds_folder=False)
    accounts = AccountService(engine, clock)
    AnomalyService(
        engine, clock=clock, accounts=accounts, event_store=None, jobs=JobQueue(engine, clock)
    ).start_backfill(accounts.resolve(account.id).number, clock.now_us() - MICROSECONDS_PER_DAY)
    engine.dispose()
    client = server.client(account)
    deadline = time.monotonic() + ANOMALY_SECONDS
    while not client.get("/v1/anomalies").json()["data"]:
        assert time.monotonic() < deadline, "no anomaly was found"
        time.sleep(0.5)
    client.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
