"""The data folder: made private, held by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

import msgspec

from infraprism_server.errors import StartupError

LOCK_NAME = "infraprism.lock"
UNFINISHED_RESTORE = "restore.unfinished"
"""In the folder from the beginning of a restore to its end."""
LOCK_PATIENCE_SECONDS = 0.5
"""`find_holder` holds the lock for microseconds; a start that meets it must not give up."""


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a folder; `address` is where it answers, when it does."""

    pid: int
    address: str | None


class FolderLock:
    """A held folder. The lock ends with `release`, or with the process, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def announce(self, address: str | None) -> None:
        """Write down who holds the folder and where it answers (http://host:port)."""
        if self._descriptor is None:
            raise ValueError("the lock is released")
        text = msgspec.json.encode(Holder(os.getpid(), address)) + b"\n"
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let the next process in. The file stays: removing it would let two in."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def make_folder(folder: Path) -> None:
    """Make the data folder, for its owner alone (0700), unless it exists. StartupError if not."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise folder_error(folder, error) from None


def lock_folder(folder: Path, address: str | None) -> FolderLock:
    """Hold the folder. StartupError naming the process that holds it, when one does."""
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise folder_error(folder, error) from None
    lock = FolderLock(descriptor)
    try:
        if not _try_lock_patiently(descriptor):
            holder = _read(descriptor)
            os.close(descriptor)
            raise _held(folder, holder)
        lock.announce(address)
    except OSError as error:
        os.close(descriptor)
        raise folder_error(folder, error) from None
    return lock


def find_holder(folder: Path) -> Holder | None:
    """The process that holds the folder now, or None. A holder without a name has pid 0."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        return _read(descriptor) or Holder(0, None)
    finally:
        os.close(descriptor)


def folder_error(folder: Path, error: OSError) -> StartupError:
    """One line for a person: what is wrong with the folder and what to do."""
    match error.errno:
        case errno.EACCES | errno.EPERM:
            advice = "no permission to write there; choose another with --data-dir"
        case errno.EROFS:
            advice = "the file system is read-only; choose another with --data-dir"
        case errno.ENOSPC | errno.EDQUOT:
            advice = "the disk is full; free some space"
        case errno.ENOTDIR | errno.EEXIST:
            advice = "it is not a folder; choose another with --data-dir"
        case _:
            advice = error.strerror or str(error)
    return StartupError(f"The data folder {folder.absolute()} can not be used: {advice}")


def _held(folder: Path, holder: Holder | None) -> StartupError:
    who = "another process"
    if holder is not None:
        who = f"process {holder.pid}" + (f" ({holder.address})" if holder.address else "")
    return StartupError(
        f"The data folder {folder.absolute()} is held by {who}; stop it first, or choose another "
        "folder with --data-dir"
    )


def _try_lock_patiently(descriptor: int) -> bool:
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        return None
