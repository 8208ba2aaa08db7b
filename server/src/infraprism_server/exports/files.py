"""The folder of finished exports: a file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from infraprism_server.errors import NotFound

FOLDER_NAME: Final = "exports"
_PARTIAL: Final = ".partial"


class ExportFolder:
    """Files by export id. Ids are ours, never a client's text."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER_NAME

    def partial(self, export_id: str) -> Path:
        """A new name to write to; what earlier attempts left behind is removed."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.glob(f"{export_id}.*{_PARTIAL}"):
            left.unlink(missing_ok=True)
        return self._folder / f"{export_id}.{secrets.token_hex(4)}{_PARTIAL}"

    def keep(self, partial: Path, export_id: str, file_format: str) -> int:
        """Give a written file its name, durably; its size in bytes. NotFound if it was removed."""
        try:
            descriptor = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:
            raise NotFound("This export was removed") from None
        try:
            os.fsync(descriptor)
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
        partial.chmod(0o600)
        partial.replace(self.path(export_id, file_format))
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return size

    def path(self, export_id: str, file_format: str) -> Path:
        """Where the finished file is, when it is there."""
        return self._folder / f"{export_id}.{file_format}"

    def remove(self, export_id: str) -> None:
        """Remove everything of an export, finished or not."""
        for path in self._folder.glob(f"{export_id}.*"):
            path.unlink(missing_ok=True)
