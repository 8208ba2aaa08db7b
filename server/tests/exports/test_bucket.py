"""Exports in a bucket, against a server that speaks S3."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx2
import pytest
from moto.server import ThreadedMotoServer

from infraprism_server.background.jobs import LeaseLostError
from infraprism_server.errors import NotFound, StartupError, Unavailable
from infraprism_server.exports.bucket import BucketAccess, ExportBucket

LARGE_BYTES = 20 << 20
"""More than two parts."""


class S3Server:
    """A bucket, `exports`, on this machine; it can be stopped and started again."""

    def __init__(self) -> None:
        self._start(0)
        self.url = f"http://127.0.0.1:{self.port}"
        assert self.ask("PUT", "/exports").status == 200

    def _start(self, port: int) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()

    def resume(self) -> None:
        self._start(self.port)

    def ask(self, method: str, path: str):
        connection = HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path)
        answer = connection.getresponse()
        answer.body = answer.read().decode()
        connection.close()
        return answer

    def has(self, name: str) -> bool:
        """Whether the bucket lists an object with this in its key."""
        return name in self.ask("GET", "/exports?list-type=2").body

    def unfinished(self) -> int:
        """Uploads in parts that were neither completed nor given up."""
        return self.ask("GET", "/exports?uploads").body.count("<Upload>")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def files(s3, data_dir) -> ExportBucket:
    access = BucketAccess(
        url="s3://exports/infra/prism",
        endpoint=s3.url,
        region="eu-central-1",
        access_key_id="key",
        secret_access_key="secret",
    )
    return ExportBucket(access, data_dir)


@pytest.fixture
def large(files, data_dir):
    """A written file of several parts, waiting to be kept."""
    data_dir.mkdir(exist_ok=True)
    partial = files.partial("exp_large")
    partial.write_bytes(bytes(LARGE_BYTES))
    return partial


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet", "xlsx"])
def test_a_finished_file_lies_in_the_bucket_behind_a_presigned_link(house, s3, file_format) -> None:
    house.events(40)
    made = house.made(file_format)
    assert made.status == "completed"
    link = urlsplit(made.download_url)
    assert (link.netloc, link.path) == (
        urlsplit(s3.url).netloc,
        f"/exports/infra/prism/{made.id}.{file_format}",
    )
    assert "X-Amz-Expires=86400" in link.query
    answer = httpx2.get(made.download_url)
    assert answer.status_code == 200
    assert len(answer.content) == made.size_bytes
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="{made.id}.{file_format}"'
    )
    if file_format == "csv":
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 40
    assert list(house.folder.iterdir()) == []


def test_an_export_of_nothing_is_a_file_too(house) -> None:
    made = house.made("json")
    assert httpx2.get(made.download_url).content == b""


def test_the_link_never_outlives_the_file(house, s3) -> None:
    made = house.made()
    house.clock.advance(timedelta(hours=23))
    link = house.service.get(house.account, made.id).download_url
    assert "X-Amz-Expires=3600" in link
    house.clock.advance(timedelta(hours=1))
    assert house.service.get(house.account, made.id).download_url is None
    assert s3.has(made.id)
    assert house.service.purge() == 1
    assert not s3.has(made.id)


def test_deleting_removes_the_object(house, s3) -> None:
    made = house.made()
    house.service.delete(house.account, made.id)
    assert not s3.has(made.id)
    assert httpx2.get(made.download_url).status_code == 404


def test_no_link_of_ours_leads_to_it(house) -> None:
    made = house.made()
    with pytest.raises(NotFound):
        house.service.file_of(made.id, *house.own_link(made))


def test_a_large_file_goes_in_parts_and_arrives_whole(files, large) -> None:
    asked: list[None] = []
    size = files.keep(large, "exp_large", "csv", lambda: asked.append(None))
    assert size == LARGE_BYTES
    assert len(asked) == 4
    answer = httpx2.get(files.foreign_link("exp_large", "csv", 60))
    assert answer.content == bytes(LARGE_BYTES)
    files.remove("exp_large")


def test_a_cancel_in_the_middle_leaves_no_object_and_no_parts(files, large, s3) -> None:
    asked: list[None] = []

    def check() -> None:
        asked.append(None)
        if len(asked) == 3:
            raise LeaseLostError

    with pytest.raises(LeaseLostError):
        files.keep(large, "exp_large", "csv", check)
    assert not s3.has("exp_large")
    assert s3.unfinished() == 0


def test_a_bucket_that_is_away_fails_the_attempt_and_the_next_one_succeeds(house, s3) -> None:
    house.events(5)
    export_id = house.ask()
    s3.stop()
    try:
        assert house.worker().run_due() == 1
        waiting = house.service.get(house.account, export_id)
        assert (waiting.status, waiting.download_url) == ("processing", None)
        assert list(house.folder.iterdir()) == []
    finally:
        s3.resume()
    house.clock.advance(timedelta(minutes=1))
    assert house.worker().run_due() == 1
    assert house.service.get(house.account, export_id).status == "completed"


def test_what_can_not_be_removed_now_is_removed_later(house, s3, files) -> None:
    made = house.made()
    s3.stop()
    try:
        with pytest.raises(Unavailable):
            files.remove(made.id)
        house.service.delete(house.account, made.id)
        with pytest.raises(NotFound):
            house.service.get(house.account, made.id)
    finally:
        s3.resume()
    assert s3.has(made.id)
    assert house.worker().run_due() == 1
    assert not s3.has(made.id)


@pytest.mark.parametrize("url", ["", "s3://", "https://bucket", "gs://bucket/x", "bucket"])
def test_an_address_that_is_no_bucket_is_refused_at_start(url: str, data_dir) -> None:
    with pytest.raises(StartupError) as caught:
        ExportBucket(BucketAccess(url=url), data_dir)
    assert "INFRAPRISM_EXPORTS_URL" in str(caught.value)
