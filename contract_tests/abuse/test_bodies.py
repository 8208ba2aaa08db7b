"""R43: bodies that are too large, packed bombs, wrong types, and clients that never finish."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path

import pytest
import zstandard

from benchmarks.overload import measure
from contract_tests.abuse.cases import GOOD
from contract_tests.abuse.slow import others_are_served
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess

LIMIT_BYTES = 5 * 1024 * 1024
MIB = 1024 * 1024
MEMORY_MIB = 50


def _padded(size: int) -> bytes:
    """A good batch of exactly that many bytes."""
    body = json.dumps({"events": [GOOD]}).encode()
    return body + b" " * (size - len(body))


def test_r43_five_mebibytes_are_taken_and_one_byte_more_is_413(client_a: Client) -> None:
    """R43: the bound is exact."""
    taken = client_a.request("POST", "/v1/events", _padded(LIMIT_BYTES))
    assert (taken.status, taken.json()["accepted"]) == (200, 1)
    refused = client_a.request("POST", "/v1/events", _padded(LIMIT_BYTES + 1))
    assert (refused.status, refused.error["code"]) == (413, "payload_too_large")


def test_r43_other_routes_take_less(client_a: Client) -> None:
    """R43: nobody needs megabytes to name a key."""
    body = b'{"name": "key"}' + b" " * MIB
    for method, path in [("POST", "/v1/api-keys"), ("PATCH", "/v1/me")]:
        answer = client_a.request(method, path, body)
        assert (answer.status, answer.error["code"]) == (413, "payload_too_large"), path


def _gzip_bomb(size: int) -> bytes:
    """A file whose block of a mebibyte is packed once and repeated."""
    zeros, count = bytes(MIB), size // MIB
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(count):
        checksum = zlib.crc32(zeros, checksum)
    end = packer.flush() + struct.pack("<II", checksum, size)
    return b"\x1f\x8b\x08" + bytes(7) + block * count + end


def _zstd_bomb(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


def test_the_bomb_is_one() -> None:
    assert gzip.decompress(_gzip_bomb(3 * MIB)) == bytes(3 * MIB)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_r43_a_compressed_bomb_stops_while_it_is_unpacked(
    server: ServerProcess, client_a: Client, encoding: str
) -> None:
    """R43: half a gibibyte of zeros in a few kilobytes: 413, and memory stays where it was."""
    bomb = (_gzip_bomb if encoding == "gzip" else _zstd_bomb)(512 * MIB)
    assert len(bomb) < MIB
    client_a.request("POST", "/v1/events", bomb, {"Content-Encoding": encoding})
    before = server.resident_bytes()
    for _ in range(5):
        answer = client_a.request("POST", "/v1/events", bomb, {"Content-Encoding": encoding})
        assert (answer.status, answer.error["code"]) == (413, "payload_too_large")
    assert server.resident_bytes() - before <= MEMORY_MIB * MIB


def test_r43_a_zstd_frame_with_a_giant_window_is_refused(client_a: Client) -> None:
    """R43: a frame may ask for gigabytes of window before a byte is decoded."""
    magic = b"\x28\xb5\x2f\xfd"
    frame = magic + b"\x00" + bytes([21 << 3]) + b"\x01\x00\x00"  # 2 GiB window, an empty block
    answer = client_a.request("POST", "/v1/events", frame, {"Content-Encoding": "zstd"})
    assert answer.status == 413, answer


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_r43_compressed_bodies_are_read_and_broken_ones_refused(
    client_a: Client, encoding: str
) -> None:
    """R43: good ones count, cut and garbled ones are a 400."""
    plain = json.dumps({"events": [GOOD]}).encode()
    packed = gzip.compress(plain) if encoding == "gzip" else zstandard.compress(plain)
    headers = {"Content-Encoding": encoding}
    assert client_a.request("POST", "/v1/events", packed, headers).json()["accepted"] == 1
    for broken in (packed[:-5], b"\x00" + packed, packed + b"more", plain, b""):
        answer = client_a.request("POST", "/v1/events", broken, headers)
        assert (answer.status, answer.error["code"]) == (400, "invalid_request"), broken


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zip", "*"])
def test_r43_other_encodings_are_415(client_a: Client, encoding: str) -> None:
    """R43: what is not read is said to be not read."""
    answer = client_a.request("POST", "/v1/events", _padded(200), {"Content-Encoding": encoding})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/xml",
        "",
    ],
)
def test_r43_other_content_types_are_415(client_a: Client, content_type: str) -> None:
    """R43: on every route that takes a body."""
    for method, path in [("POST", "/v1/events"), ("POST", "/v1/api-keys"), ("PATCH", "/v1/me")]:
        answer = client_a.request(method, path, b"{}", {"Content-Type": content_type})
        assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type"), path


def test_r43_a_content_type_with_parameters_is_json(client_a: Client) -> None:
    """R43: a charset is fine, and so is upper case."""
    headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
    assert client_a.request("POST", "/v1/events", _padded(200), headers).status == 200


def test_r43_an_early_refusal_reaches_a_client_that_is_still_sending(server: ServerProcess) -> None:
    """R43: 401, 404, 413 and 415 arrive whole for large bodies, again on one connection."""
    client = Client(server.url, server.add_account("early").key)
    body = b" " * (6 * MIB)
    for _ in range(3):
        assert client.request("POST", "/v1/events", body).status == 413
        assert client.request("POST", "/v1/nothing", body).status == 404
        typed = {"Content-Type": "text/plain"}
        assert client.request("POST", "/v1/events", body, typed).status == 415
        stranger = {"Authorization": "Bearer ip-x", "X-Forwarded-For": "192.0.2.43"}
        assert client.request("POST", "/v1/events", body, stranger).status == 401


def test_r43_slow_connections_do_not_keep_others_waiting(server: ServerProcess) -> None:
    """R43, small: beside 50 half-open requests others are served, and memory stays where it was."""
    account = server.add_account("beside-slow-ones")
    more = others_are_served(server, account, connections=50, calls=30)
    assert more <= MEMORY_MIB * MIB


@pytest.mark.timeout(120)
def test_r43_at_twice_the_load_the_rest_is_refused_at_once(tmp_path: Path) -> None:
    """R43, small: 200, or 429 and 503 that say when to come again; stored is what was accepted."""
    found = measure(tmp_path / "data", seconds=0.5, connections=16, seed=43)
    assert found.wrong == []
    assert found.stored_equals_accepted
