"""Finished exports in a bucket that speaks S3, fetched by links that the bucket itself checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from infraprism_server.errors import NotFound, StartupError, Unavailable
from infraprism_server.exports.files import ExportFolder
from infraprism_server.exports.schemas import MEDIA_TYPES

_PART_BYTES: Final = 8 << 20
_MOST_PARTS: Final = 9_000
"""Of the 10,000 that S3 allows."""
_PARTS_AT_ONCE: Final = 2
"""Together with the part that is read: about 24 MB of memory, however large a file is."""
_TIMEOUT: Final = timedelta(seconds=30)
_CONNECT_TIMEOUT: Final = timedelta(seconds=5)
_RETRIES: Final = 2
"""Few: jobs have attempts of their own, and whoever deletes an export waits for this."""

log = structlog.get_logger(__name__)


class BucketAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bucket is, and who we are there. None: as the AWS_ variables or the machine say."""

    url: str
    """s3://bucket/prefix"""
    endpoint: str | None = None
    """For what is not Amazon's, such as http://127.0.0.1:9000."""
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None


class ExportBucket:
    """Finished exports in a bucket; the working files stay in the data folder."""

    def __init__(self, access: BucketAccess, data_dir: Path) -> None:
        self._folder = ExportFolder(data_dir)
        self._store = _open(access)

    def partial(self, export_id: str) -> Path:
        return self._folder.partial(export_id)

    def keep(
        self, partial: Path, export_id: str, file_format: str, check: Callable[[], None]
    ) -> int:
        key = f"{export_id}.{file_format}"
        attributes = {
            "Content-Type": MEDIA_TYPES[file_format],
            "Content-Disposition": f'attachment; filename="{key}"',
            "Cache-Control": "private, no-store",
        }
        try:
            size = partial.stat().st_size
        except FileNotFoundError:
            raise NotFound("This export was removed") from None
        part_bytes = max(_PART_BYTES, -(-size // _MOST_PARTS))
        check()
        try:
            if size <= part_bytes:
                obstore.put(self._store, key, partial.read_bytes(), attributes=attributes)
            else:
                # In parts; the object appears when the last of them is there. What `check` raises
                # comes out of here, after the parts were given up.
                obstore.put(
                    self._store,
                    key,
                    _parts(partial, part_bytes, check),
                    attributes=attributes,
                    use_multipart=True,
                    chunk_size=part_bytes,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except BaseError as error:
            raise _away(error) from error
        return size

    def find(self, export_id: str, file_format: str) -> Path | None:
        """What was finished before exports went to a bucket."""
        return self._folder.find(export_id, file_format)

    def foreign_link(self, export_id: str, file_format: str, seconds: int) -> str | None:
        if self.find(export_id, file_format) is not None:
            return None
        key = f"{export_id}.{file_format}"
        try:
            return obstore.sign(self._store, "GET", key, timedelta(seconds=seconds))
        except BaseError as error:
            raise _away(error) from error

    def left(self) -> set[str]:
        return self._folder.left()

    def remove(self, export_id: str) -> None:
        self._folder.remove(export_id)
        try:
            obstore.delete(self._store, [f"{export_id}.{each}" for each in MEDIA_TYPES])
        except BaseError as error:
            raise _away(error) from error


def _open(access: BucketAccess) -> S3Store:
    parts = urlsplit(access.url)
    if parts.scheme != "s3" or not parts.netloc:
        raise StartupError("INFRAPRISM_EXPORTS_URL is not an address such as s3://bucket/prefix")
    given = {
        "endpoint": access.endpoint,
        "region": access.region,
        "access_key_id": access.access_key_id,
        "secret_access_key": access.secret_access_key,
    }
    try:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={
                "allow_http": (access.endpoint or "").startswith("http://"),
                "timeout": _TIMEOUT,
                "connect_timeout": _CONNECT_TIMEOUT,
            },
            retry_config={"max_retries": _RETRIES},
            **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
        )
    except (BaseError, ValueError) as error:
        raise StartupError("INFRAPRISM_EXPORTS_URL and its settings make no bucket") from error


def _parts(file: Path, part_bytes: int, check: Callable[[], None]) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(part_bytes):
            check()
            yield part


def _away(error: BaseError) -> Unavailable:
    # The error's own text names the endpoint and the bucket: for the operator, not for callers.
    log.error("export_bucket_failed", error=str(error).splitlines()[0][:500])
    return Unavailable("the store of export files does not take or give files now")
