"""`python -m contract_tests.soak --seed S --minutes M`: the long forms of the short tests.

Round after round until the time is over, each from a seed of its own that is printed: `--seed` of
a failed round with `--only` its name replays it. Prints attempts and failures; exit 1 on any.
"""

from __future__ import annotations

import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.server_process import ServerProcess
from contract_tests.isolation.two_accounts import Recorder, check_replay
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
from contract_tests.reliability.interleavings import run_interleavings
from contract_tests.schema.runner import assert_clean, run

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
        interleavings,
        edge_times,
        replays,
        recovery,
        crossings,
        exports,
        schema,
    )
}


def play(name: str, seed: int) -> tuple[int, str | None]:
    """One round on a server of its own: attempts, and what went wrong."""
    with TemporaryDirectory(prefix="infraprism-soak-") as folder:
        server = ServerProcess(Path(folder), ENVIRONMENT)
        try:
            server.start()
            return ROUNDS[name](server, seed), None
        except Exception:  # noqa: BLE001 - counted, shown, and the soak goes on
            return 0, f"{traceback.format_exc()}\n{server.log()}"
        finally:
            server.kill()


def main(arguments: list[str] | None = None) -> int:
    """Play rounds until the minutes are over; at least one of each name that was asked for."""
    parser = ArgumentParser(prog="python -m contract_tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", choices=ROUNDS, action="append")
    parser.add_argument("--once", action="store_true", help="the rounds that --only names, once")
    options = parser.parse_args(arguments)
    names = options.only or list(ROUNDS)
    seeds = Random(options.seed)
    seed = options.seed  # the first round has the seed itself: that is how a failure is replayed
    end = time.monotonic() + options.minutes * 60
    failures = played = 0
    totals = dict.fromkeys(names, 0)
    while played == 0 or (time.monotonic() < end and not (options.once and played >= len(names))):
        name = names[played % len(names)]
        began = time.monotonic()
        attempts, wrong = play(name, seed)
        played += 1
        totals[name] += attempts
        failures += wrong is not None
        told = "failed" if wrong else f"{attempts:,} attempts"
        sys.stdout.write(f"{name} seed {seed}: {told} in {time.monotonic() - began:.0f} s\n")
        if wrong:
            sys.stdout.write(
                f"{wrong}\nreplay: make soak ARGS='--only {name} --seed {seed} --once'\n"
            )
        sys.stdout.flush()
        seed = seeds.randrange(1, 2**31)
    for name, attempts in totals.items():
        sys.stdout.write(f"{name}: {attempts:,} attempts\n")
    sys.stdout.write(f"{played} rounds, {failures} failures, seed {options.seed}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
