"""Who is asking: what an authenticator is, what a principal is, and which scopes a route takes.

The API-keys feature is the authenticator; app.py hands it in, so nothing here imports a feature.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from infraprism_server.errors import Unauthorized

SCOPE_FULL = "full"
SCOPE_READ = "read"
SCOPE_INGEST = "ingest"


class Principal(msgspec.Struct, frozen=True):
    """A key that was believed, and the account it acts for."""

    account: int
    account_id: str
    key_id: str
    scopes: frozenset[str]
    requests_per_minute: int


class Authenticator(Protocol):
    """Turns the text of a key into a principal."""

    def recall(self, text: str) -> Principal | None:
        """The principal when it is known without waiting (no input or output); else None."""
        ...

    def authenticate(self, text: str) -> Principal | None:
        """The principal, or None for any key that is not to be believed. May read the store."""
        ...


def bearer_text(authorization: str | None) -> str | None:
    """The key in an Authorization header, or None when there is none in it."""
    if authorization is None:
        return None
    scheme, _, text = authorization.partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and text else None


def unauthorized() -> Unauthorized:
    """One answer for a missing, malformed, unknown, expired and deleted key."""
    return Unauthorized(
        "Invalid or missing API key; send it as 'Authorization: Bearer ip-...'", None
    )
