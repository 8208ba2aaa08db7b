"""Where finished exports lie: a file is there whole or not at all.

The event store writes to a working file in the data folder. A finished one gets its name there, or
goes on to a bucket (see bucket.py).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from infraprism_server.errors import NotFound

FOLDER_NAME: Final = "exports"
_PARTIAL: Final = ".partial"


class ExportFiles(Protocol):
    """Files by export id. Ids are ours, never a client's text."""

    def partial(self, export_id: str) -> Path:
        """A new name to write to; what earlier attempts left behind is removed."""
        ...

    def keep(
        self, partial: Path, export_id: str, file_format: str, check: Callable[[], None]
    ) -> int:
        """Make a written file the finished one, durably; its size in bytes.

        `check` is called now and then; what it raises ends the work and leaves nothing behind.
        NotFound if the written file was removed, Unavailable when it can not be stored now.
        """
        ...

    def find(self, export_id: str, file_format: str) -> Path | None:
        """The finished file, when it is one of this machine."""
        ...

    def foreign_link(self, export_id: str, file_format: str, seconds: int) -> str | None:
        """A link that is good for so long and leads past this server; None: we serve the file."""
        ...

    def remove(self, export_id: str) -> None:
        """Remove everything of an export, finished or not. Unavailable: it is to be tried again."""
        ...

    def left(self) -> set[str]:
        """Ids of the exports that have anything in the folder of this machine."""
        ...


class ExportFolder:
    """Finished exports in the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER_NAME

    def partial(self, export_id: str) -> Path:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.glob(f"{export_id}.*{_PARTIAL}"):
            left.unlink(missing_ok=True)
        return self._folder / f"{export_id}.{secrets.token_hex(4)}{_PARTIAL}"

    def keep(
        self, partial: Path, export_id: str, file_format: str, check: Callable[[], None]
    ) -> int:
        check()
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
        partial.replace(self._path(export_id, file_format))
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return size

    def find(self, export_id: str, file_format: str) -> Path | None:
        path = self._path(export_id, file_format)
        return path if path.is_file() else None

    def foreign_link(self, export_id: str, file_format: str, seconds: int) -> str | None:  # noqa: ARG002
        return None

    def remove(self, export_id: str) -> None:
        for path in self._folder.glob(f"{export_id}.*"):
            path.unlink(missing_ok=True)

    def left(self) -> set[str]:
        return {path.name.partition(".")[0] for path in self._folder.glob("*.*")}

    def _path(self, export_id: str, file_format: str) -> Path:
        return self._folder / f"{export_id}.{file_format}"
