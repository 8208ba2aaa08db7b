"""Sign-in secrets: one-time links, sessions, and the token that every form carries.

The browser holds a session's text; the store has only hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import msgspec

from infraprism_server.clock import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR

COOKIE = "infraprism_session"
SESSION_US = 7 * MICROSECONDS_PER_DAY
"""How long a session lasts after sign-in, whatever is done in it."""
LINK_US = MICROSECONDS_PER_HOUR
"""How long a sign-in link may be used, once."""
_MAX_TOKEN_CHARS = 128


class Session(msgspec.Struct, frozen=True):
    """A browser that is signed in. `csrf` is what its forms must carry."""

    account: int
    csrf: str


def new_token() -> str:
    """256 random bits as text for a link or a cookie."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """What is stored. Nothing slower is needed: 256 bits can not be tried out."""
    return hashlib.sha256(token[:_MAX_TOKEN_CHARS].encode()).digest()


def csrf_of(token: str) -> str:
    """The form token of a session: told by the session's text alone, worth nothing without it."""
    return hmac.new(token.encode(), b"infraprism form", hashlib.sha256).hexdigest()


def same_text(left: str, right: str) -> bool:
    """Equality in a time that does not tell how much was equal."""
    return hmac.compare_digest(left.encode(), right.encode())


def cookie_header(token: str, *, secure: bool) -> str:
    """The Set-Cookie header that signs a browser in; an empty token signs it out."""
    age = SESSION_US // 1_000_000 if token else 0
    end = "; Secure" if secure else ""
    return f"{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{end}"
