"""The start page: what is spent now, against before, where it goes and where it leads."""

from __future__ import annotations

from infraprism_server.dashboard.frame import Page, Visit, page


@page("/")
def overview(visit: Visit) -> Page:
    return Page(template="overview.html", context={"name": visit.account.name})


ROUTES = [overview]
