"""Exports in a bucket, as an operator sets it up: by the environment of a running server."""

from __future__ import annotations

import csv
import io
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from moto.server import ThreadedMotoServer

from contract_tests.harness.server_process import ServerProcess
from contract_tests.notifications.test_journey import RANGE, events, finished

SECRET = "a-secret-of-the-bucket"


def test_a_server_whose_exports_lie_in_a_bucket_links_to_it(tmp_path: Path) -> None:
    """Made, downloaded from the bucket, deleted there; the secret is nowhere to be read."""
    bucket = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    bucket.start()
    try:
        port = bucket.get_host_and_port()[1]
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("PUT", "/exports")
        assert connection.getresponse().status == 200
        connection.close()
        environment = {
            "INFRAPRISM_EXPORTS_URL": "s3://exports/of/prism",
            "INFRAPRISM_EXPORTS_ENDPOINT": f"http://127.0.0.1:{port}",
            "INFRAPRISM_EXPORTS_REGION": "eu-central-1",
            "INFRAPRISM_EXPORTS_ACCESS_KEY_ID": "key",
            "INFRAPRISM_EXPORTS_SECRET_ACCESS_KEY": SECRET,
        }
        with ServerProcess(tmp_path, environment) as server:
            client = server.client(server.add_account("bucket"))
            client.ingest(events(50))
            asked = client.post("/v1/exports", {**RANGE, "format": "csv"}).json()
            made = finished(client, asked["id"])
            link = urlsplit(made["download_url"])
            assert (link.port, link.path) == (port, f"/exports/of/prism/{made['id']}.csv")
            file = httpx2.get(made["download_url"])
            assert len(list(csv.DictReader(io.StringIO(file.text)))) == 50
            assert client.delete(f"/v1/exports/{made['id']}").status == 200
            assert httpx2.get(made["download_url"]).status_code == 404
            client.close()
            assert SECRET not in server.log()
    finally:
        bucket.stop()
