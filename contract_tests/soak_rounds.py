"""The rounds of `make soak`: the scenarios of the short tests, longer.

Each is one round on a fresh server from a seed and says in its first words which requirements it
shows. It answers how many attempts it made; AssertionError on failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.overload import measure
from contract_tests.abuse.slow import others_are_served
from contract_tests.conftest import ENVIRONMENT
from contract_tests.event_store.damage import damage_file, damage_log
from contract_tests.event_store.kill_points import POINTS, run_point
from contract_tests.harness.seeds import SEED_VARIABLE
from contract_tests.harness.server_process import ServerProcess
from contract_tests.isolation.neighbour import beside_a_noisy_one
from contract_tests.isolation.secrets import look_for_keys
from contract_tests.isolation.two_accounts import Recorder, check_replay
from contract_tests.notifications.deliveries_over_kills import deliver_over_kills
from contract_tests.notifications.exports_over_kills import export_over_kills
from contract_tests.notifications.large_export import ABOVE_IDLE_BYTES, export_many
from contract_tests.notifications.receiver import Receiver
from contract_tests.reliability.crashes import (
    crash_cycles,
    kill_between_write_and_answer,
    store_many,
    terminate_cycles,
)
from contract_tests.reliability.crossings import WRITERS, cross_at_once, watch_requests
from contract_tests.reliability.edge_times import check_edge_times
from contract_tests.reliability.full_disk import fill_and_free, small_disk, stop_growing
from contract_tests.reliability.interleavings import run_interleavings
from contract_tests.schema.runner import assert_clean, run

MIB = 1 << 20
REPEATED = (
    "contract_tests/reliability/test_retries.py",
    "contract_tests/isolation",
    "contract_tests/abuse",
)
"""Tests whose long form is the short one, with other seeds."""

Round = Callable[[ServerProcess, int], int]
"""One round on a fresh server from a seed; how many attempts it made. AssertionError on failure."""


def crash(server: ServerProcess, seed: int) -> int:
    """R1, R4: ten kills; acknowledged events."""
    return crash_cycles(server, server.add_account("crash"), seed=seed, cycles=10)


def terminate(server: ServerProcess, seed: int) -> int:
    """R5: ten SIGTERMs."""
    return len(terminate_cycles(server, server.add_account("term"), seed=seed, cycles=10))


def unanswered(server: ServerProcess, seed: int) -> int:
    """R7: twenty kills between write and answer."""
    account = server.add_account("between")
    return kill_between_write_and_answer(server, account, seed=seed, rounds=20)


def recovery(server: ServerProcess, seed: int) -> int:
    """R6: a million events, kill -9, ready again within 10 s."""
    client = server.client(server.add_account("many"))
    store_many(client, seed=seed, events=1_000_000)
    seconds = server.restart()
    assert seconds <= 10, f"{seconds:.1f} s until ready"
    return 1_000_000


def interleavings(server: ServerProcess, seed: int) -> int:
    """R11: a thousand interleavings of retries."""
    account = server.add_account("interleaved")
    clients = [server.client(account), server.client(account)]
    return run_interleavings(clients, start=seed, examples=1_000)


def edge_times(server: ServerProcess, seed: int) -> int:
    """R12: ten thousand timestamps at edges."""
    client = server.client(server.add_account("edges"))
    return check_edge_times(client, seed=seed, amount=10_000)


def replays(server: ServerProcess, seed: int) -> int:
    """R19, R21: at least 500 requests of A replayed with B's key."""
    owner = Recorder(server.url, server.add_account("owner").key)
    other = server.client(server.add_account("other"))
    return check_replay(owner, other, mark=f"canary-{seed}", seed=seed, rounds=12)


def crossings(server: ServerProcess, seed: int) -> int:
    """R26: 50 writers cross a limit at once, twenty times, and a hundred times with a kill."""
    account = server.add_account("crossing")
    with Receiver() as receiver:
        client = server.client(account)
        watch_requests(client, receiver)
        client.close()
        cross_at_once(server, account, receiver, seed=seed, rounds=20, kill=False)
        cross_at_once(server, account, receiver, seed=seed + 1, rounds=100, kill=True)
    return 120 * WRITERS


def exports(server: ServerProcess, seed: int) -> int:
    """R35: a csv of ten million events within 200 MB above idle; its sum is the API's."""
    above = export_many(server, seed, events=10_000_000, file_format="csv", seconds=300)
    assert above <= ABOVE_IDLE_BYTES, f"{above / 1e6:.0f} MB above idle"
    return 10_000_000


def kill_points(server: ServerProcess, seed: int) -> int:
    """R2: twenty deaths at each point of a commit; acknowledged batches."""
    acknowledged = 0
    for number, point in enumerate(POINTS):
        folder = server.folder / f"point-{number}"
        folder.mkdir()
        acknowledged += run_point(folder, point, seed=seed + number, times=20)
    return acknowledged


def damage(server: ServerProcess, seed: int) -> int:
    """R2: the newest file cut by up to 4096 bytes or a byte of it flipped, two hundred times."""
    times = 100
    for name, hurt in (("log", damage_log), ("file", damage_file)):
        folder = server.folder / name
        folder.mkdir()
        hurt(folder, seed=seed, times=times)
    return 2 * times


def full_disk(server: ServerProcess, seed: int) -> int:
    """R3: a disk is filled and freed ten times, and a quota set and lifted ten times."""
    acknowledged = stop_growing(server, server.add_account("quota"), seed=seed, rounds=10)
    with small_disk(server.folder) as disk, ServerProcess(disk, ENVIRONMENT) as small:
        acknowledged += fill_and_free(small, small.add_account("full"), seed=seed, rounds=10)
        small.kill()
    return acknowledged


def secrets(server: ServerProcess, seed: int) -> int:
    """R14: five hundred keys, whose text is then looked for in every byte that is left."""
    return look_for_keys(server, server.add_account("secrets"), seed=seed, keys=500)


def neighbour(server: ServerProcess, seed: int) -> int:
    """R22: A at ten times its limit; the p99 of B at most doubles."""
    limit, calls = 3_000, 3_000
    noisy = server.add_account(f"noisy-{seed}", rate_limit=limit)
    quiet = server.add_account(f"quiet-{seed}")
    found = beside_a_noisy_one(server, noisy, quiet, limit=limit, calls=calls)
    alone, beside = found.p99_ms(found.alone_ms), found.p99_ms(found.beside_ms)
    assert beside <= 2 * alone, f"p99 {alone:.1f} ms alone, {beside:.1f} ms beside the noisy one"
    return calls + found.statuses.total()


def repeated(server: ServerProcess, seed: int) -> int:
    """R7 to R10, R16 to R20, R23, R24, R43: the tests of `make test` themselves, five times."""
    server.kill()  # they start their own
    times = 5
    for number in range(times):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *REPEATED],
            cwd=Path(__file__).parents[1],
            env=os.environ | {SEED_VARIABLE: str(seed + number)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"seed {seed + number}:\n{done.stdout[-4_000:]}"
    return times


def slow_connections(server: ServerProcess, seed: int) -> int:
    """R43: five hundred half-open requests; others are served, memory + <= 50 MB."""
    account = server.add_account(f"slow-{seed}")
    more = others_are_served(server, account, connections=500, calls=1_000)
    assert more <= 50 * MIB, f"{more / MIB:.0f} MiB more"
    return 1_000


def overload(server: ServerProcess, seed: int) -> int:
    """R43: twice the load it can take; >= 80 % of the best goodput, memory + <= 50 MB."""
    server.kill()  # this one measures a server of its own
    with tempfile.TemporaryDirectory(prefix="infraprism-overload-") as folder:
        found = measure(Path(folder) / "data", seconds=15, connections=64, seed=seed)
    assert found.wrong == []
    assert found.stored_equals_accepted
    assert found.share_of_best_percent >= 80, f"{found.share_of_best_percent:.0f} % of the best"
    more = found.memory_peak_mib - found.memory_before_mib
    assert more <= 50, f"{more:.0f} MiB more"
    return int(15 * found.offered_events_per_second)


def killed_exports(server: ServerProcess, seed: int) -> int:
    """R35: exports in every format while the server is killed twenty times."""
    return export_over_kills(server, seed, events=100_000, kills=20)


def deliveries(server: ServerProcess, seed: int) -> int:
    """R29: ten thousand messages to a receiver that fails, hangs and resets, over fifty kills."""
    server.kill()  # the sender is a process of its own
    tally = deliver_over_kills(server.folder, seed=seed, messages=10_000, kills=50)
    sys.stdout.write(
        f"deliveries: 10,000 told, {tally.requests:,} requests, {tally.doubled} doubled,"
        f" {tally.given_up} failed ten times and were sent again by hand\n"
    )
    assert tally.doubled <= 100
    return tally.requests


def schema(server: ServerProcess, seed: int) -> int:
    """R44: schemathesis with 500 examples an operation."""
    assert_clean(run(server, server.folder, seed=seed, examples=500, timeout_seconds=4 * 3_600))
    return 500


ROUNDS: dict[str, Round] = {
    each.__name__.replace("_", "-"): each
    for each in (
        crash,
        unanswered,
        terminate,
        kill_points,
        damage,
        full_disk,
        interleavings,
        edge_times,
        replays,
        secrets,
        neighbour,
        repeated,
        slow_connections,
        overload,
        recovery,
        crossings,
        exports,
        killed_exports,
        deliveries,
        schema,
    )
}
