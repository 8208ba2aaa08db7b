"""How far an import has come, kept so that the same command goes on where it was stopped.

Losing it costs time alone: ids are the same in the next run, so what was sent counts once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from infraprism_server.importer.summary import Counts


class Progress(msgspec.Struct):
    """What is done of one file: the first `rows`, with these results."""

    rows: int
    counts: Counts


def state_folder() -> Path:
    """Where checkpoints live: XDG_STATE_HOME, or .local/state in the home folder."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "infraprism" / "imports"


class Checkpoint:
    """The progress of one file with one mapping to one account."""

    def __init__(self, folder: Path, source: Path, *asked: str) -> None:
        """`asked` is all that makes it another import: address, key, mapping, shift."""
        stat = source.stat()
        parts = (str(source.resolve()), str(stat.st_size), str(stat.st_mtime_ns), *asked)
        name = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        self.path = folder / f"{name[:32]}.json"

    def load(self) -> Progress | None:
        """What an earlier run left, or None."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, progress: Progress) -> bool:
        """Write it down, whole or not at all; False when there is no place to write."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_bytes(msgspec.json.encode(progress))
            fresh.replace(self.path)
        except OSError:
            return False
        return True

    def clear(self) -> None:
        """The import is done."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
