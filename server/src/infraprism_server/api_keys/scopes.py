"""Scopes: what a key may be used for."""

from __future__ import annotations

from collections.abc import Iterable

from infraprism_server.errors import InvalidRequest
from infraprism_server.http.authentication import SCOPE_FULL, SCOPE_INGEST, SCOPE_READ

SCOPES = (SCOPE_FULL, SCOPE_READ, SCOPE_INGEST)


def checked_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Each scope once, in the order of SCOPES; `full` alone where it is among them.

    InvalidRequest when there is none, or one that does not exist.
    """
    given = set(scopes)
    unknown = sorted(given - set(SCOPES))
    if unknown or not given:
        wrong = f"Unknown scope '{unknown[0][:40]}'" if unknown else "A key needs a scope"
        raise InvalidRequest(f"{wrong}; use {', '.join(SCOPES)}", "scopes")
    if SCOPE_FULL in given:
        return (SCOPE_FULL,)
    return tuple(scope for scope in SCOPES if scope in given)
