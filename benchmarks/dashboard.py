"""The dashboard's pages at one stored size: from the server, and until their charts are drawn."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import quote, urlencode

from playwright.sync_api import sync_playwright

from benchmarks.questions import Facts
from benchmarks.repeating import Repeats, Taken, repeat
from benchmarks.server import Server

PAGE_GOAL_MS: Final = 100.0
CHART_GOAL_MS: Final = 300.0
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_DRAWN: Final = "[data-chart][data-drawn]"
_DRAWN_MS: Final = (
    "performance.getEntriesByName('charts drawn').at(-1).startTime"
    " - performance.getEntriesByType('navigation')[0].responseEnd"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A page. `follows`: numbers that read the calls, asked for once the page is there."""

    name: str
    path: str
    follows: bool = False
    charts: bool = False


@dataclass(frozen=True, slots=True)
class PageFigures:
    """How long a page took, and what of the server's CPU, a call. The first: with nothing kept."""

    shown: Shown
    taken: Taken
    cpu_ms: float


def pages(facts: Facts) -> list[Shown]:
    """Every page that grows with what is stored."""
    busy, rare = (f"/entities/customer/{quote(each[0])}" for each in (facts.busy, facts.rare))
    narrow = urlencode({"group": "tags[feature]", "entity_type": "customer"})
    return [
        Shown("overview", "/", charts=True),
        Shown("overview: 30 days", "/?range=30d", charts=True),
        Shown("overview: by a tag", "/?by=tags[env]"),
        Shown("overview: customers of last week", "/?range=last-week&type=customer"),
        Shown("explorer", "/explorer", charts=True),
        Shown("explorer: 30 days by model", "/explorer?range=30d&group=model"),
        Shown("explorer: 30 days by entity", "/explorer?range=30d&group=entity_id"),
        Shown("explorer: by a tag", f"/explorer?{narrow}", follows=True),
        Shown("entities", "/entities"),
        Shown("entities: searched", "/entities?q=12"),
        Shown("entity: busy", busy, charts=True),
        Shown("entity: rare", rare),
        Shown("entity: its sessions", f"{busy}?part=sessions", follows=True),
        Shown("events", "/events"),
        Shown("events: one entity", f"/events?entity_type=customer&entity_id={facts.busy[0]}"),
        Shown("event", f"/events/{quote(facts.event_ids[0])}"),
        Shown("sessions", "/sessions", follows=True),
        Shown("alerts", "/alerts"),
        Shown("limits", "/limits"),
        Shown("exports", "/exports"),
        Shown("prices", "/prices"),
        Shown("settings", "/settings"),
        Shown("SDK health", "/sdk"),
    ]


class Visitor:
    """A browser's connection that is signed in with an API key."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        form = urlencode({"key": key, "next": "/"})
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://127.0.0.1:{port}",
            "Sec-Fetch-Site": "same-origin",
        }
        self._connection.request("POST", "/sign-in", form, headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 303:
            raise RuntimeError(f"signing in was answered with {answer.status}")
        self.cookie = str(answer.headers["Set-Cookie"]).split(";")[0]

    def take(self, path: str, *, part: bool = False) -> float:
        """Milliseconds of a GET. RuntimeError unless it is answered with 200."""
        headers = {"Cookie": self.cookie, "Accept": "text/html"}
        if part:
            headers["HX-Request"] = "true"
        started = time.perf_counter()
        self._connection.request("GET", path, headers=headers)
        answer = self._connection.getresponse()
        body = answer.read()
        taken = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:300]!r}")
        return taken

    def close(self) -> None:
        self._connection.close()


def measure(
    server: Server, visitor: Visitor, facts: Facts, repeats: Repeats
) -> Iterator[PageFigures]:
    """Every page so often; of those that come in two steps the numbers are timed."""
    for shown in pages(facts):
        before = server.cpu_seconds()
        taken = repeat(partial(visitor.take, shown.path, part=shown.follows), repeats)
        yield PageFigures(shown, taken, 1000 * (server.cpu_seconds() - before) / taken.calls)


def measure_charts(
    server: Server, visitor: Visitor, facts: Facts, calls: int
) -> Iterator[tuple[Shown, list[float]]]:
    """From the last byte of the page to its charts being drawn, milliseconds, in Chromium."""
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        raise RuntimeError("There is no Chromium on this machine; `make browser` installs it")
    url = f"http://127.0.0.1:{server.port}"
    name, _, value = visitor.cookie.partition("=")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--no-proxy-server"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": name, "value": value, "url": url}])
        page = context.new_page()
        page.goto("/")  # the libraries are in the browser's cache from now on
        for shown in pages(facts):
            if not shown.charts:
                continue
            taken = []
            for _ in range(calls):
                page.goto(shown.path)
                page.wait_for_selector(_DRAWN, state="attached")
                taken.append(float(page.evaluate(_DRAWN_MS)))
            yield shown, sorted(taken)
        browser.close()
