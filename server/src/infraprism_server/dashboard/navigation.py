"""What the side of every page leads to."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A page in the navigation.

    `name` is what the page calls itself by (`section`), and its picture in static/icons.svg.
    """

    name: str
    title: str
    path: str
    there: bool = True
    """False until the page has a route: then the entry is not shown."""


NAVIGATION: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Spend",
        (
            Entry("overview", "Overview", "/"),
            Entry("explorer", "Explorer", "/explorer"),
            Entry("entities", "Entities", "/entities"),
            Entry("events", "Events", "/events"),
            Entry("sessions", "Sessions", "/sessions"),
        ),
    ),
    (
        "Watch",
        (
            Entry("alerts", "Alerts", "/alerts"),
            Entry("limits", "Limits", "/limits"),
        ),
    ),
    (
        "Connect",
        (
            Entry("webhooks", "Webhooks", "/webhooks"),
            Entry("exports", "Exports", "/exports"),
            Entry("sdk", "SDK health", "/sdk"),
        ),
    ),
    (
        "Manage",
        (
            Entry("keys", "API keys", "/keys"),
            Entry("prices", "Prices", "/prices"),
            Entry("settings", "Settings", "/settings"),
        ),
    ),
)
"""Groups with their pages."""
