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

from playwright.sync_api import sync_playwright

from benchmarks.overload import measure
from contract_tests.abuse.slow import others_are_served
from contract_tests.conftest import ENVIRONMENT
from contract_tests.dashboard.browser import launch
from contract_tests.dashboard.hostile import PAYLOADS
from contract_tests.dashboard.hostile_names import open_hostile_names
from contract_tests.dashboard.walk import walk_over_generated, walk_over_the_sample
from contract_tests.event_store.damage import damage_file, damage_log
from contract_tests.event_store.kill_points import POINTS, run_point
from contract_tests.harness.examples import TIMES_VARIABLE
from contract_tests.harness.seeds import SEED_VARIABLE
from contract_tests.harness.server_process import ServerProcess
from contract_tests.isolation.neighbour import beside_a_noisy_one
from contract_tests.isolation.secrets import look_for_keys
from contract_tests.isolation.two_accounts import Recorder, check_replay
from contract_tests.notifications.changed_links import try_changed_links
from contract_tests.notifications.deliveries_over_kills import deliver_over_kills
from contract_tests.notifications.exports_over_kills import export_over_kills
from contract_tests.notifications.hanging_endpoints import beside_hanging_ones
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
from contract_tests.reliability.years import FIGURES_HEAD, WORK, play_years
from contract_tests.schema.runner import assert_clean, run
from contract_tests.sdk.long_forms import LONG_FORMS

MIB = 1 << 20
REPEATED = (
    "contract_tests/reliability/test_retries.py",
    "contract_tests/isolation",
    "contract_tests/abuse",
)
"""Tests whose long form is the short one, with other seeds."""

HISTORIES = ("contract_tests/event_store/test_properties.py", "--timeout=3600")
"""Tests that are played with more examples."""

Round = Callable[[ServerProcess, int, float], int]
"""One round on a fresh server from a seed, and a fraction of its length (1.0: as its docstring
says); how many attempts it made. AssertionError on failure."""


def _share(amount: int, length: float) -> int:
    return max(1, round(amount * length))


def crash(server: ServerProcess, seed: int, length: float) -> int:
    """R1, R4: ten kills; acknowledged events."""
    return crash_cycles(server, server.add_account("crash"), seed=seed, cycles=_share(10, length))


def terminate(server: ServerProcess, seed: int, length: float) -> int:
    """R5: ten SIGTERMs."""
    return len(
        terminate_cycles(server, server.add_account("term"), seed=seed, cycles=_share(10, length))
    )


def unanswered(server: ServerProcess, seed: int, length: float) -> int:
    """R7: twenty kills between write and answer."""
    account = server.add_account("between")
    return kill_between_write_and_answer(server, account, seed=seed, rounds=_share(20, length))


def recovery(server: ServerProcess, seed: int, length: float) -> int:
    """R6: a million events, kill -9, ready again within 10 s."""
    client = server.client(server.add_account("many"))
    events = _share(1_000, length) * 1_000
    store_many(client, seed=seed, events=events)
    seconds = server.restart()
    assert seconds <= 10, f"{seconds:.1f} s until ready"
    return events


def interleavings(server: ServerProcess, seed: int, length: float) -> int:
    """R11: a thousand interleavings of retries."""
    account = server.add_account("interleaved")
    clients = [server.client(account), server.client(account)]
    return run_interleavings(clients, start=seed, examples=_share(1_000, length))


def edge_times(server: ServerProcess, seed: int, length: float) -> int:
    """R12: ten thousand timestamps at edges."""
    client = server.client(server.add_account("edges"))
    return check_edge_times(client, seed=seed, amount=_share(10_000, length))


def replays(server: ServerProcess, seed: int, length: float) -> int:
    """R19, R21: at least 500 requests of A replayed with B's key."""
    owner = Recorder(server.url, server.add_account("owner").key)
    other = server.client(server.add_account("other"))
    return check_replay(owner, other, mark=f"canary-{seed}", seed=seed, rounds=_share(12, length))


def crossings(server: ServerProcess, seed: int, length: float) -> int:
    """R26: 50 writers cross a limit at once, twenty times, and a hundred times with a kill."""
    account = server.add_account("crossing")
    with Receiver() as receiver:
        client = server.client(account)
        watch_requests(client, receiver)
        client.close()
        alive, killed = _share(20, length), _share(100, length)
        cross_at_once(server, account, receiver, seed=seed, rounds=alive, kill=False)
        cross_at_once(server, account, receiver, seed=seed + 1, rounds=killed, kill=True)
    return (alive + killed) * WRITERS


def exports(server: ServerProcess, seed: int, length: float) -> int:
    """R35: a csv of ten million events within 200 MB above idle; its sum is the API's."""
    return _large_export(server, seed, "csv", _share(10_000_000, length))


def workbook(server: ServerProcess, seed: int, length: float) -> int:
    """R35: a full sheet, 1,048,575 events, within 200 MB above idle; its sum is the API's."""
    return _large_export(server, seed, "xlsx", _share(1_048_575, length))


def _large_export(server: ServerProcess, seed: int, file_format: str, events: int) -> int:
    made = export_many(server, seed, events=events, file_format=file_format, seconds=300)
    above = f"{made.above_bytes / 1e6:.0f} MB above idle"
    sys.stdout.write(f"{file_format}: {events:,} rows in {made.seconds:.1f} s, {above}\n")
    assert made.above_bytes <= ABOVE_IDLE_BYTES, above
    return events


def kill_points(server: ServerProcess, seed: int, length: float) -> int:
    """R2: twenty deaths at each point of a commit; acknowledged batches."""
    acknowledged = 0
    for number, point in enumerate(POINTS):
        folder = server.folder / f"point-{number}"
        folder.mkdir()
        acknowledged += run_point(folder, point, seed=seed + number, times=_share(20, length))
    return acknowledged


def damage(server: ServerProcess, seed: int, length: float) -> int:
    """R2: the newest file cut by up to 4096 bytes or a byte of it flipped, two hundred times."""
    times = _share(100, length)
    for name, hurt in (("log", damage_log), ("file", damage_file)):
        folder = server.folder / name
        folder.mkdir()
        hurt(folder, seed=seed, times=times)
    return 2 * times


def full_disk(server: ServerProcess, seed: int, length: float) -> int:
    """R3: a disk is filled and freed ten times, and a quota set and lifted ten times."""
    rounds = _share(10, length)
    acknowledged = stop_growing(server, server.add_account("quota"), seed=seed, rounds=rounds)
    with small_disk(server.folder) as disk, ServerProcess(disk, ENVIRONMENT) as small:
        acknowledged += fill_and_free(small, small.add_account("full"), seed=seed, rounds=rounds)
        small.kill()
    return acknowledged


def secrets(server: ServerProcess, seed: int, length: float) -> int:
    """R14: five hundred keys, whose text is then looked for in every byte that is left."""
    return look_for_keys(server, server.add_account("secrets"), seed=seed, keys=_share(500, length))


def neighbour(server: ServerProcess, seed: int, length: float) -> int:
    """R22: A at ten times its limit; the p99 of B at most doubles."""
    limit, calls = 600, _share(3_000, length)
    noisy = server.add_account(f"noisy-{seed}", rate_limit=limit)
    quiet = server.add_account(f"quiet-{seed}")
    found = beside_a_noisy_one(server, noisy, quiet, limit=limit, calls=calls)
    alone, beside = found.p99_ms(found.alone_ms), found.p99_ms(found.beside_ms)
    assert beside <= 2 * alone, f"p99 {alone:.1f} ms alone, {beside:.1f} ms beside the noisy one"
    return calls + found.statuses.total()


def repeated(server: ServerProcess, seed: int, length: float) -> int:
    """R7 to R10, R16 to R20, R23, R24, R43: the tests of `make test` themselves, five times."""
    server.kill()  # they start their own
    times = _share(5, length)
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


def histories(server: ServerProcess, seed: int, length: float) -> int:
    """R7, R9: random histories of a store, every answer equal to the model's."""
    server.kill()  # it is the stores that are asked
    times = _share(20, length)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", f"--hypothesis-seed={seed}", *HISTORIES],
        cwd=Path(__file__).parents[1],
        env=os.environ | {TIMES_VARIABLE: str(times)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4_000:]}"
    return times


def slow_connections(server: ServerProcess, seed: int, length: float) -> int:
    """R43: five hundred half-open requests; others are served, memory + <= 50 MB."""
    account = server.add_account(f"slow-{seed}")
    calls = _share(1_000, length)
    more = others_are_served(server, account, connections=500, calls=calls)
    assert more <= 50 * MIB, f"{more / MIB:.0f} MiB more"
    return calls


def overload(server: ServerProcess, seed: int, length: float) -> int:
    """R43: twice the load it can take; >= 80 % of the best goodput, memory flat.

    Flat: the second half of it takes at most 50 MB more than the first. The first takes what 64
    connections with bodies of 180 kB need in Rust and in Python, at most 150 MB.
    """
    server.kill()  # this one measures a server of its own
    with tempfile.TemporaryDirectory(prefix="infraprism-overload-") as folder:
        data_dir = Path(folder) / "data"
        seconds = _share(15, length)
        found = measure(data_dir, seconds=seconds, connections=64, seed=seed)
    assert found.wrong == []
    assert found.stored_equals_accepted
    assert found.share_of_best_percent >= 80, f"{found.share_of_best_percent:.0f} % of the best"
    more, growth = found.memory_more_mib, found.memory_growth_mib
    sys.stdout.write(
        f"overload: {found.share_of_best_percent:.0f} % of the best goodput, {found.refused}"
        f" refused with p99 {found.refused_p99_ms:.0f} ms,"
        f" memory {more:+.0f} and then {growth:+.0f} MiB\n"
    )
    assert more <= 150, f"{more:.0f} MiB more"
    assert growth <= 50, f"{growth:.0f} MiB more in the second half"
    return int(seconds * found.offered_events_per_second)


def links(server: ServerProcess, seed: int, length: float) -> int:
    """R33: ten thousand changed links over HTTP give no file."""
    client = server.client(server.add_account("links"))
    return try_changed_links(client, seed, _share(10_000, length))


def killed_exports(server: ServerProcess, seed: int, length: float) -> int:
    """R35: exports in every format while the server is killed twenty times."""
    found = export_over_kills(server, seed, events=100_000, kills=_share(20, length))
    sys.stdout.write(
        f"killed-exports: {found.completed} whole, {found.failed} failed after five kills each\n"
    )
    return found.asked


def deliveries(server: ServerProcess, seed: int, length: float) -> int:
    """R29: ten thousand messages to a receiver that fails, hangs and resets, over fifty kills."""
    server.kill()  # the sender is a process of its own
    messages, kills = _share(10_000, length), _share(50, length)
    tally = deliver_over_kills(server.folder, seed=seed, messages=messages, kills=kills)
    sys.stdout.write(
        f"deliveries: {messages:,} told, {tally.requests:,} requests, {tally.doubled} doubled,"
        f" {tally.given_up} failed ten times and were sent again by hand\n"
    )
    assert tally.doubled <= messages / 100
    return tally.requests


def hanging(server: ServerProcess, _seed: int, length: float) -> int:
    """R30: fifty endpoints hang, and a healthy one has its messages within two seconds at p99."""
    took = beside_hanging_ones(server, hanging=50, messages=_share(500, length))
    late = took[int(len(took) * 0.99)]
    sys.stdout.write(f"hanging: {took[len(took) // 2]:.3f} s at the median, {late:.3f} s at p99\n")
    assert late <= 2.0
    return len(took)


def years(server: ServerProcess, seed: int, length: float) -> int:
    """R6 and the years after: retention, erasure, compaction, backup of ten million events."""
    events = _share(10_000_000, length)
    figures = play_years(server, seed, events=events)
    sys.stdout.write(FIGURES_HEAD + "".join(figure.line() + "\n" for figure in figures))
    return events


def killed_years(server: ServerProcess, seed: int, length: float) -> int:
    """R1 of the same with a million events, and a kill -9 in the middle of each."""
    events = _share(1_000_000, length)
    figures = play_years(server, seed, events=events, kill=WORK)
    kills = sum(figure.kills for figure in figures)
    sys.stdout.write(f"killed-years: {kills} of {len(WORK)} kills hit a job under way\n")
    return events


def schema(server: ServerProcess, seed: int, length: float) -> int:
    """R44: schemathesis with 500 examples an operation."""
    examples = _share(500, length)
    found = run(server, server.folder, seed=seed, examples=examples, timeout_seconds=4 * 3_600)
    assert_clean(found)
    return examples


def pages(server: ServerProcess, seed: int, length: float) -> int:
    """R41: every page and action by a browser, over 10 M events, and over the sample."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        events = _share(10_000_000, length)
        opened = walk_over_generated(browser, server, seed, events=events)
        server.kill()
        opened += walk_over_the_sample(browser, server.folder / "sample")
        browser.close()
    return opened


def hostile_names(server: ServerProcess, _seed: int, length: float) -> int:
    """R42: sixty hostile names in every list, and each on its own pages."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        opened = open_hostile_names(browser, server, PAYLOADS[: _share(len(PAYLOADS), length)])
        browser.close()
    return opened


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
        histories,
        slow_connections,
        overload,
        recovery,
        crossings,
        exports,
        workbook,
        links,
        killed_exports,
        deliveries,
        hanging,
        years,
        killed_years,
        pages,
        hostile_names,
        schema,
        *LONG_FORMS,
    )
}
