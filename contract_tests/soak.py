"""`python -m contract_tests.soak --seed S --minutes M`: the long forms of the short tests.

Round after round until the time is over, each from a seed of its own that is printed: `--seed` of
a failed round with `--only` its name replays it. Prints attempts and failures; exit 1 on any.
"""

from __future__ import annotations

import sys
import time
import traceback
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from contract_tests.conftest import ENVIRONMENT
from contract_tests.harness.server_process import ServerProcess
from contract_tests.soak_rounds import ROUNDS


def play(name: str, seed: int, length: float = 1.0) -> tuple[int, str | None]:
    """One round on a server of its own: attempts, and what went wrong."""
    with TemporaryDirectory(prefix="infraprism-soak-") as folder:
        server = ServerProcess(Path(folder), ENVIRONMENT)
        try:
            server.start()
            return ROUNDS[name](server, seed, length), None
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
    parser.add_argument(
        "--length", type=float, default=1.0, help="of each round, as a fraction of its long form"
    )
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
        attempts, wrong = play(name, seed, options.length)
        played += 1
        totals[name] += attempts
        failures += wrong is not None
        told = "failed" if wrong else f"{attempts:,} attempts"
        sys.stdout.write(f"{name} seed {seed}: {told} in {time.monotonic() - began:.0f} s\n")
        if wrong:
            sys.stdout.write(
                f"{wrong}\nreplay: make soak ARGS='--only {name} --seed {seed} --once"
                f" --length {options.length:g}'\n"
            )
        sys.stdout.flush()
        seed = seeds.randrange(1, 2**31)
    for name, attempts in totals.items():
        sys.stdout.write(f"{name}: {attempts:,} attempts\n")
    sys.stdout.write(f"{played} rounds, {failures} failures, seed {options.seed}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
