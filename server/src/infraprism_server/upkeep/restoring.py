"""Restoring a backup into an empty data folder: verified before, copied, verified, then named.

A folder in which a restore did not finish is marked: no server starts on it, and the next restore
begins anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infraprism_server.data_folder import LOCK_NAME, UNFINISHED_RESTORE, lock_folder, make_folder
from infraprism_server.errors import StartupError
from infraprism_server.upkeep.manifest import FileEntry, Manifest, entry_of, read_manifest, sync

_ARRIVING: Final = ".restoring"


def restore(
    backup: Path, data_dir: Path, tell: Callable[[float], None], *, control_elsewhere: bool
) -> Manifest:
    """Verify the backup and put its files into `data_dir`. StartupError in one line.

    control_elsewhere: the control store is a server, restored by its own means.
    """
    manifest = read_manifest(backup)
    if control_elsewhere != (manifest.control_store == "elsewhere"):
        raise StartupError(
            "this backup has no control store: set INFRAPRISM_CONTROL_URL to the one it belongs to"
            if manifest.control_store == "elsewhere"
            else "this backup has a control store of its own: unset INFRAPRISM_CONTROL_URL"
        )
    marker = data_dir / UNFINISHED_RESTORE
    _require_empty(data_dir, marker)
    total = max(1, 2 * sum(entry.bytes for entry in manifest.files))
    done = 0

    def heard(size: int) -> None:
        nonlocal done
        done += size
        tell(min(1.0, done / total))

    for entry in manifest.files:
        _verify(backup / entry.name, entry, heard)
    make_folder(data_dir)
    with lock_folder(data_dir, None):
        _require_empty(data_dir, marker)
        for left in data_dir.iterdir():
            if left.name not in (LOCK_NAME, UNFINISHED_RESTORE):
                left.unlink()
        marker.write_text("a restore did not finish\n", encoding="ascii")
        sync(data_dir)
        for entry in manifest.files:
            arriving = data_dir / (entry.name + _ARRIVING)
            shutil.copyfile(backup / entry.name, arriving)
            os.chmod(arriving, 0o600)  # noqa: PTH101 - beside shutil
            sync(arriving)
            _verify(arriving, entry, heard)
        for entry in manifest.files:
            (data_dir / (entry.name + _ARRIVING)).replace(data_dir / entry.name)
        sync(data_dir)
        marker.unlink()
        sync(data_dir)
    return manifest


def _require_empty(data_dir: Path, marker: Path) -> None:
    """Nothing but our lock; or what an earlier restore left."""
    if not data_dir.is_dir():
        return
    there = [path for path in data_dir.iterdir() if path.name != LOCK_NAME]
    if there and not marker.exists():
        raise StartupError(
            f"{data_dir} is not empty ({there[0].name}): a backup is restored into an empty folder;"
            " move this one away, or name another with --data-dir"
        )


def _verify(path: Path, entry: FileEntry, heard: Callable[[int], None]) -> None:
    try:
        found = entry_of(path, heard)
    except FileNotFoundError:
        raise StartupError(f"{entry.name} is missing in {path.parent}") from None
    if (found.bytes, found.sha256) != (entry.bytes, entry.sha256):
        raise StartupError(
            f"{entry.name} in {path.parent} is not what was backed up"
            f" ({found.bytes} of {entry.bytes} bytes): take another backup"
        )
