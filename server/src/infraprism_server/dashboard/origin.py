"""Whether a form was sent by a page of ours: the browser's word, then the token in the form."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from infraprism_server.dashboard.session import same_text
from infraprism_server.errors import Forbidden

SAFE_SITES = frozenset({"same-origin", "none"})


def check_same_origin(headers: Mapping[str, str]) -> None:
    """Forbidden unless Origin is this host and Sec-Fetch-Site, where sent, says so too.

    A request with neither header comes from no browser that is in use: it is refused as well.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site != "same-origin":
        raise _refused()
    if origin is None:
        if site is None:
            raise _refused()
        return
    if urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        raise _refused()


def check_token(given: str | None, expected: str) -> None:
    """Forbidden unless the form carries its session's token."""
    if given is None or not same_text(given, expected):
        raise Forbidden("This form is out of date; go back, reload the page and try again", "csrf")


def _refused() -> Forbidden:
    return Forbidden("This request did not come from a page of this server")
