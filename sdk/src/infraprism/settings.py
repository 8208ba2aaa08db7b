"""What the environment says: key, address, and whether anything is reported at all."""

from __future__ import annotations

import os
from typing import NamedTuple

DEFAULT_BASE_URL = "https://api.infraprism.com/v1"
_TRUE = frozenset({"1", "true", "yes", "on"})


def api_root(base_url: str) -> str:
    """The address that ends in /v1, from one with or without it."""
    root = base_url.strip().rstrip("/")
    return root if root.endswith("/v1") else f"{root}/v1"


class Settings(NamedTuple):
    """Where events go. Without a key, or disabled, they go nowhere."""

    api_key: str | None
    root: str
    disabled: bool
    spool_folder: str | None = None

    @classmethod
    def from_environment(cls, api_key: str | None = None, base_url: str | None = None) -> Settings:
        """Arguments come before INFRAPRISM_API_KEY and INFRAPRISM_BASE_URL."""
        key = api_key or os.environ.get("INFRAPRISM_API_KEY", "").strip() or None
        address = base_url or os.environ.get("INFRAPRISM_BASE_URL", "").strip() or DEFAULT_BASE_URL
        disabled = os.environ.get("INFRAPRISM_DISABLED", "").strip().lower() in _TRUE
        spool = os.environ.get("INFRAPRISM_SPOOL_DIR", "").strip() or None
        return cls(key, api_root(address), disabled, spool)

    def __repr__(self) -> str:
        # A log line that shows the settings must not show the key.
        return f"Settings(root={self.root!r}, disabled={self.disabled})"
