"""Request bodies: which encodings are read, and how large they may become while decoding."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import zstandard

from infraprism_server.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

CHUNK_BYTES = 65_536
MAX_BODY_BYTES = 262_144
"""For every route but ingest."""


async def read_bounded(chunks: AsyncIterator[bytes], declared: str | None, limit: int) -> bytes:
    """The whole body. PayloadTooLarge as soon as it, or its declared length, passes the limit."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    parts = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        parts.append(chunk)
    return b"".join(parts)


def check_media_type(content_type: str | None) -> None:
    """UnsupportedMediaType unless the body says it is JSON, or says nothing."""
    if content_type is None:
        return
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as Content-Type: application/json")


def decompressed(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The decoded body, never larger than `limit` bytes: a bomb stops while it is unpacked."""
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip":
            return _gunzip(body, limit)
        case "zstd":
            return _unzstd(body, limit)
    raise UnsupportedMediaType("Content-Encoding may be gzip, zstd or absent")


def _gunzip(body: bytes, limit: int) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        decoded = decoder.decompress(body, limit + 1)
    except zlib.error:
        raise InvalidRequest("The body is not valid gzip") from None
    if len(decoded) > limit:
        raise too_large(limit)
    if not decoder.eof or decoder.unused_data:
        raise InvalidRequest("The gzip body is cut off or followed by other data")
    return decoded


def _unzstd(body: bytes, limit: int) -> bytes:
    # The window is bounded too: a frame may ask for far more memory than it decodes to.
    decoder = zstandard.ZstdDecompressor(max_window_size=max(limit * 2, 1 << 20))
    size = 0
    try:
        with decoder.stream_reader(body, read_across_frames=True) as reader:
            while chunk := reader.read(CHUNK_BYTES):
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
        # Known to be small enough now. The reader does not tell a frame that is cut off; this does.
        frame = decoder.decompressobj()
        decoded = frame.decompress(body)
    except zstandard.ZstdError as error:
        if "too much memory" in str(error):
            raise too_large(limit) from None
        raise InvalidRequest("The body is not valid zstd") from None
    if not frame.eof or frame.unused_data:
        raise InvalidRequest("The zstd body is cut off or more than one frame")
    return decoded


def too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit:,} bytes after decoding; send less")
