"""A data folder as one version leaves it, and what it answered: made once, asked for ever after.

    python -m contract_tests.upgrades.folder NAME

writes `contract_tests/upgrades/NAME.tar.gz` with the version that is installed: both stores after a
kill -9 (half of the events in the file, half in its log), and the answers to fixed questions. Make
one before a release or before what is stored changes, under a name that says so. The key inside
opens nothing but this folder.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.client import Client
from contract_tests.harness.server_process import ServerProcess
from contract_tests.harness.traffic import batch
from contract_tests.isolation.two_accounts import UNSTABLE

HERE = Path(__file__).parent
ANSWERS = "answers.json"
MAX_BYTES = 200_000
EVENTS = 300
_RANGE = "start_date=2025-01-01&end_date=2025-03-01"
QUESTIONS = (
    "/v1/me",
    "/v1/events?limit=1000",
    "/v1/events?limit=50&offset=100&model=gpt-4o",
    "/v1/events?limit=1000&entity_type=customer&entity_id=globex%2Feu&success=false",
    f"/v1/usage?{_RANGE}",
    f"/v1/usage?{_RANGE}&group_by=model&group_by=tags%5Bfeature%5D",
    f"/v1/usage?{_RANGE}&interval=day&timezone=America/New_York",
    f"/v1/usage?{_RANGE}&interval=week&group_by=entity_id&entity_type=customer",
    "/v1/entities?limit=1000",
    "/v1/entities/customer/acme-corp",
    "/v1/prices",
    "/v1/api-keys",
    "/v1/webhooks",
    "/v1/limits",
    "/v1/anomalies/settings",
)
"""Those that a version did not know yet are not among the answers it left."""


def make(name: str) -> Path:
    """Run the installed server once, kill it, and pack what is left."""
    with TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder), ENVIRONMENT)
        with server:
            account = server.create_account("upgrade")
            client = server.client(account)
            events = batch(Random(1), "upgrade", EVENTS)
            _post(client, "/v1/events", {"events": events[: EVENTS // 2]})
            client.close()
            server.terminate()  # what is stored moves from the log into the file
            server.start()
            _post(client, "/v1/events", {"events": events[EVENTS // 2 :]})
            _configure(client)
            answers = {question: client.ok(question) for question in QUESTIONS}
            server.kill()
        told = {"key": account.key, "answers": answers}
        packed = HERE / f"{name}.tar.gz"
        with tarfile.open(packed, "w:gz", compresslevel=9) as archive:
            for path in sorted(server.data_dir.iterdir()):
                if path.name != "infraprism.lock":
                    archive.add(path, f"data/{path.name}")
            _add(archive, ANSWERS, json.dumps(told, default=str, indent=1).encode())
    assert packed.stat().st_size < MAX_BYTES, f"{packed.stat().st_size} bytes are too many"
    return packed


def unpack(packed: Path, folder: Path) -> tuple[str, dict[str, Any]]:
    """Put the data folder under `folder`; its key, and what it answered."""
    with tarfile.open(packed) as archive:
        # The first of Python 3.11 do not know of filters.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder)
    told = json.loads((folder / ANSWERS).read_text())
    return told["key"], told["answers"]


def differences(before: Any, now: Any, place: str = "") -> list[str]:
    """Where an answer says other than before. Fields may have been added, none may be gone."""
    match before, now:
        case dict(), dict():
            return [
                each
                for field, value in before.items()
                if field not in UNSTABLE
                for each in (
                    differences(value, now[field], f"{place}.{field}")
                    if field in now
                    else [f"{place}.{field} is gone"]
                )
            ]
        case list(), list() if len(before) == len(now):
            return [
                each
                for index, (old, new) in enumerate(zip(before, now, strict=True))
                for each in differences(old, new, f"{place}[{index}]")
            ]
    return [] if before == now else [f"{place}: {before!r} became {now!r}"]


def _configure(client: Client) -> None:
    _post(
        client,
        "/v1/prices",
        {
            "provider": "in-house",
            "model": "priced-now",
            "input_usd_per_million": 1.25,
            "output_usd_per_million": 2,
        },
    )
    _post(client, "/v1/api-keys", {"name": "reader", "scopes": ["read"]})
    _post(
        client, "/v1/webhooks", {"url": "http://127.0.0.1:9/webhook", "events": ["limit.reached"]}
    )
    limit = {"entity_type": "customer", "entity_id": "acme-corp", "metric": "requests"}
    _post(client, "/v1/limits", limit | {"amount": 1_000_000, "period": "total"})
    revenue = {"name": "Acme", "metadata": {"segment": "smb"}, "revenue_usd_monthly": 12.5}
    assert client.patch("/v1/entities/customer/acme-corp", revenue).status == 200


def _post(client: Client, path: str, body: object) -> None:
    answer = client.post(path, body)
    assert answer.status in (200, 201), answer


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


if __name__ == "__main__":
    sys.stdout.write(f"{make(sys.argv[1])}\n")
