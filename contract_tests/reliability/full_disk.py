"""A disk without room, and a file that may not grow: the scenarios of R3.

Nothing is acknowledged that is not stored, the answer is a 503 that says when to come again, and
writing goes on by itself once there is room: nobody repairs anything.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

from contract_tests.harness.client import Client
from contract_tests.harness.oracle import Journal, verify
from contract_tests.harness.server_process import ServerProcess, TestAccount
from contract_tests.harness.traffic import batch

SMALL_DISK: Final = "INFRAPRISM_TEST_SMALL_DISK"
_MIB: Final = 1 << 20
_DISK_MIB: Final = 64
_MOST_MIB: Final = 512
_ROOM_BYTES: Final = _MIB
"""Left free beside the ballast: some dozen batches until there is none."""
_EVENTS: Final = 200
_MOST_BATCHES: Final = 2_000
_RECOVERY_SECONDS: Final = 20.0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """An empty folder on a file system of its own, small enough to be filled.

    Mounted for the purpose, which takes root; elsewhere the one that SMALL_DISK names.
    """
    given = os.environ.get(SMALL_DISK)
    if given is not None:
        place = Path(given)
        assert shutil.disk_usage(place).total <= _MOST_MIB * _MIB, f"{given} has too much room"
        assert not list(place.iterdir()), f"{given} is not empty"
        yield place
        for entry in place.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return
    place = folder / "small-disk"
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert mounted.returncode == 0, (
        f"a small file system is needed and could not be mounted ({mounted.stderr.strip()}): run"
        f" this as root, or set {SMALL_DISK} to an empty folder on a file system of at most"
        f" {_MOST_MIB} MiB, such as: sudo mkdir -p /mnt/small && sudo mount -t tmpfs -o"
        f" size={_DISK_MIB}m,uid=$(id -u) tmpfs /mnt/small"
    )
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill_and_free(server: ServerProcess, account: TestAccount, *, seed: int, rounds: int) -> int:
    """R3: fill the disk under the data folder, free some room, go on; acknowledged events.

    `server` runs on a small disk. Every other round the process is killed while the disk is full.
    """
    random = Random(seed)
    journal = Journal()
    for number in range(rounds):
        ballast = server.data_dir / "ballast"
        free = shutil.disk_usage(server.data_dir).free
        ballast.write_bytes(bytes(max(0, free - _ROOM_BYTES)))
        _until_refused(server, account, journal, random, f"d{seed}-{number}")
        if number % 2:
            server.kill()
            ballast.unlink()
            server.start()
        else:
            ballast.unlink()
        _until_accepted(server, account, journal, random, f"e{seed}-{number}")
        client = server.client(account)
        verify(journal, client)
        client.close()
    return len(journal.acknowledged)


def stop_growing(server: ServerProcess, account: TestAccount, *, seed: int, rounds: int) -> int:
    """R3: a quota on the size of files, set while the server runs; acknowledged events."""
    random = Random(seed)
    journal = Journal()
    for number in range(rounds):
        _until_accepted(server, account, journal, random, f"q{seed}-{number}")
        limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        largest = max(each.stat().st_size for each in server.data_dir.iterdir())
        quota = largest + random.randrange(1, 200_000)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (quota, limits[1]))
        _until_refused(server, account, journal, random, f"r{seed}-{number}")
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        _until_accepted(server, account, journal, random, f"s{seed}-{number}")
        client = server.client(account)
        verify(journal, client)
        client.close()
    return len(journal.acknowledged)


def _until_refused(
    server: ServerProcess, account: TestAccount, journal: Journal, random: Random, run: str
) -> None:
    """Write until there is no room; then several times more, and read beside it."""
    client = server.client(account)
    refusals = 0
    for number in range(_MOST_BATCHES):
        status = _send(client, journal, random, f"{run}-{number}")
        refusals += status == 503
        if refusals == 3:
            break
    assert refusals == 3, f"{_MOST_BATCHES} batches fit into {_ROOM_BYTES:,} bytes"
    # What is there is still told.
    assert client.ok("/v1/usage")["totals"]["events"] >= len(journal.acknowledged)
    client.close()


def _until_accepted(
    server: ServerProcess, account: TestAccount, journal: Journal, random: Random, run: str
) -> None:
    deadline = time.monotonic() + _RECOVERY_SECONDS
    client = server.client(account)
    while _send(client, journal, random, f"{run}-{time.monotonic_ns()}", events=50) != 200:
        assert time.monotonic() < deadline, f"still refused with room again:\n{server.log()}"
        time.sleep(0.1)
    client.close()


def _send(
    client: Client, journal: Journal, random: Random, run: str, *, events: int = _EVENTS
) -> int:
    """One batch: acknowledged and noted, or refused as the contract says."""
    made = batch(random, run, events)
    journal.send(made)
    answer = client.post("/v1/events", {"events": made})
    if answer.status == 200:
        journal.acknowledge(made, answer.json())
    else:
        assert answer.status == 503, answer
        assert answer.error["code"] == "unavailable", answer
        assert int(answer.headers["retry-after"]) >= 1, answer
    return answer.status
