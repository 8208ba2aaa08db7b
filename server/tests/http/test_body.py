"""Bodies: bounded while they are read and while they are unpacked."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
import zstandard

from infraprism_server.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from infraprism_server.http.body import check_media_type, decompressed, read_bounded

LIMIT = 10_000


def read(chunks: list[bytes], declared: str | None = None) -> bytes:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return asyncio.run(read_bounded(stream(), declared, LIMIT))


def test_a_body_up_to_the_limit_is_read() -> None:
    assert read([b"a" * 5_000, b"b" * 5_000]) == b"a" * 5_000 + b"b" * 5_000


@pytest.mark.parametrize("declared", [None, "10001"])
def test_a_body_over_the_limit_is_refused(declared: str | None) -> None:
    with pytest.raises(PayloadTooLarge):
        read([b"a" * 10_001], declared)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("zstd", zstandard.compress), ("GZIP", gzip.compress)],
)
def test_encodings_are_unpacked(encoding: str, pack) -> None:
    assert decompressed(pack(b"x" * LIMIT), encoding, LIMIT) == b"x" * LIMIT


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)]
)
def test_a_bomb_stops_while_it_is_unpacked(encoding: str, pack) -> None:
    with pytest.raises(PayloadTooLarge):
        decompressed(pack(b"0" * 50_000_000), encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not packed",
        # Without the clock in its header: both test workers must make the same case.
        gzip.compress(b"x" * 900, mtime=0)[:-4],
        zstandard.compress(b"x" * 900)[:-4],
    ],
    ids=["empty", "not packed", "gzip cut short", "zstd cut short"],
)
def test_broken_packing_is_a_clear_error(encoding: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decompressed(body, encoding, LIMIT)


def test_gzip_followed_by_other_data_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        decompressed(gzip.compress(b"x") + b"more", "gzip", LIMIT)


def test_raw_deflate_is_not_an_encoding() -> None:
    with pytest.raises(UnsupportedMediaType):
        decompressed(zlib.compress(b"x"), "deflate", LIMIT)


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "application/json; charset=utf-8"]
)
def test_json_is_read(media_type: str | None) -> None:
    check_media_type(media_type)


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data", "application/xml", ""])
def test_other_media_types_are_refused(media_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        check_media_type(media_type)
