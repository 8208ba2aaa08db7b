"""Signed links: who has one may fetch that file until it expires, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

PURPOSE: Final = "export link"
PATH_PREFIX: Final = "/downloads/"

_QUERY = re.compile(rb"expires=([1-9][0-9]{0,11})&signature=([A-Za-z0-9_-]{43})")


def signed_path(keys: Sequence[bytes], export_id: str, expires_seconds: int) -> str:
    """The path and query of a link, signed with the newest key."""
    signature = _signature(keys[0], export_id, expires_seconds)
    return f"{PATH_PREFIX}{export_id}?expires={expires_seconds}&signature={signature}"


def is_valid(
    keys: Sequence[bytes], path: str, query: bytes, export_id: str, now_seconds: int
) -> bool:
    """Whether a request is exactly a link we made, and not late.

    The raw path and query count, not what they decode to: a link has one spelling.
    """
    found = _QUERY.fullmatch(query)
    if found is None or path != PATH_PREFIX + export_id:
        return False
    expires_seconds = int(found[1])
    given = found[2]
    good = [
        hmac.compare_digest(_signature(key, export_id, expires_seconds).encode(), given)
        for key in keys
    ]
    return any(good) and now_seconds < expires_seconds


def _signature(key: bytes, export_id: str, expires_seconds: int) -> str:
    digest = hmac.digest(key, f"{export_id}\n{expires_seconds}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
