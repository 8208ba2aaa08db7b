"""The manifest of a backup: which files it has, their sizes and checksums; written last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from infraprism_server.errors import StartupError

FILE_NAME: Final = "manifest.json"
FORMAT: Final = 1
_CHUNK_BYTES: Final = 1 << 20


class FileEntry(msgspec.Struct, frozen=True):
    """One file of a backup."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: int
    made_by: str
    instance_id: str
    created_at: str
    events: int
    control_store: Literal["included", "elsewhere"]
    key_file: Literal["included", "left out", "none"]
    """secret.key, which opens what is sealed in the control store."""
    files: list[FileEntry]


def entry_of(path: Path, tell: Callable[[int], None] = lambda _: None) -> FileEntry:
    """Size and SHA-256 of a file; `tell` hears of every chunk's bytes."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            tell(len(chunk))
    return FileEntry(path.name, size, digest.hexdigest())


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Whole and durable, or not at all: a backup is one from this moment on."""
    partial = folder / (FILE_NAME + ".partial")
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / FILE_NAME)
    sync(folder)


def read_manifest(folder: Path) -> Manifest:
    """A backup's manifest. StartupError says in one line what is wrong with the folder."""
    try:
        text = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        raise StartupError(
            f"{folder} holds no finished backup: there is no {FILE_NAME} in it"
        ) from None
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise StartupError(f"{FILE_NAME} in {folder} is damaged: {error}") from None
    if manifest.format != FORMAT:
        raise StartupError(
            f"this backup has format {manifest.format}, made by {manifest.made_by}:"
            " restore it with that version or a newer one"
        )
    return manifest


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
