"""Files the browser loads: one version for all of them, made from their content.

`/static/VERSION/js/charts.js` may be kept for ever, and modules find each other by relative paths.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

ROOT = files("infraprism_server.dashboard").joinpath("static")
VERSION_CHARS = 16
MEDIA_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}


class Asset(msgspec.Struct, frozen=True):
    """One file, as it is and compressed."""

    media_type: str
    plain: bytes
    gzipped: bytes


@cache
def assets() -> dict[str, Asset]:
    """Every file by its path below static/, read and compressed once."""
    found: dict[str, Asset] = {}
    for path, content in _walk(ROOT, ""):
        media_type = MEDIA_TYPES.get(path.rsplit(".", 1)[-1])
        if media_type is not None:
            found[path] = Asset(media_type, content, gzip.compress(content, 6, mtime=0))
    return found


@cache
def version() -> str:
    """Changes when any file does."""
    digest = hashlib.sha256()
    for path, content in _walk(ROOT, ""):
        digest.update(path.encode() + b"\0" + content)
    return digest.hexdigest()[:VERSION_CHARS]


def asset_url(path: str) -> str:
    """Where a file is loaded from. KeyError for one that there is not."""
    if not ROOT.joinpath(path).is_file():
        raise KeyError(f"static/{path} is missing; `make setup` fetches the libraries")
    return f"/static/{version()}/{path}"


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
