"""What the side of every page leads to."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A page in the navigation; `name` is what the page calls itself by (`section`)."""

    name: str
    title: str
    path: str


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
)
"""Groups with their pages. A page is added here when its route is there."""
