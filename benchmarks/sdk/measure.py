"""The SDK beside the bare client, in each state of the server: figures for the report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import machine
from benchmarks.percentiles import percentile
from benchmarks.report import SDK, Line, Part
from benchmarks.sdk.servers import STATES

ROOT: Final = Path(__file__).parents[2]
CALLS: Final = 2_000
MEMORY_CALLS: Final = 2_000
IMPORTS: Final = 7
ADDED_US: Final = 15.0
ADDED_CPU_US: Final = 60.0
GOALS_BARE_US: Final = 800.0
"""A bare call on the machine that the goals are of: on another, shares of a call say the same."""
_MIB: Final = 1 << 20
_QUICK_STATES: Final = ("up",)
_EXITS: Final = ("up", "black hole")
_QUICK_EXITS: Final = ("black hole",)


def measure(say: Callable[[str], None], *, calls: int = CALLS, quick: bool = False) -> Part:
    """Every figure. `quick`: the shape of a run, not its figures."""
    began = time.perf_counter()
    part = Part(machine.now(), machine.load_average())
    count = 20 if quick else calls
    say("sdk, its own code ...")
    alone = host("own", "", count, dict(os.environ))["us"]
    part.lines.append(_line("our own code in a call, least of many", alone, "µs", goal=ADDED_US))
    for state in _QUICK_STATES if quick else STATES:
        say(f"sdk, server {state} ...")
        with servers(state) as (provider, environment):
            part.lines += _calls(state, host("calls", provider, count, environment))
    say("sdk, memory, exit and import ...")
    part.lines += [
        *_memory(20 if quick else MEMORY_CALLS),
        *_exit(_QUICK_EXITS if quick else _EXITS),
        *_imports(1 if quick else IMPORTS),
    ]
    part.seconds = time.perf_counter() - began
    return part


@contextmanager
def servers(state: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A provider and an InfraPrism server in a state; the provider's URL and our environment."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sdk.servers", state],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        provider, server = child.stdout.readline().split()
        address = {
            "INFRAPRISM_API_KEY": "ip-benchmark",
            "INFRAPRISM_BASE_URL": f"http://127.0.0.1:{server}",
        }
        yield f"http://127.0.0.1:{provider}", {**os.environ, **address}
    finally:
        child.kill()
        child.wait()


def host(kind: str, provider: str, count: int, environment: dict[str, str]) -> dict[str, Any]:
    """What a host of a process of its own says; `ended_at` is when it was gone."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.sdk.host", kind, provider, str(count)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found | {"ended_at": time.monotonic()}


def _calls(state: str, found: dict[str, Any]) -> Iterator[Line]:
    wall = {name: sorted(values) for name, values in found["wall"].items()}
    thread = {name: sorted(values) for name, values in found["cpu"].items()}
    bare, added = percentile(wall["bare"], 50) / 1e3, _of_pairs(found["wall"])
    yield _line(f"added to a call, median, server {state}", added, "µs", bare, ADDED_US)
    yield _share(f"added to a call, of the bare call, server {state}", added, bare, ADDED_US)
    bare, ours = (percentile(wall[kind], 99) / 1e3 for kind in ("bare", "ours"))
    yield _line(f"added to a call, p99, server {state}", ours - bare, "µs", bare, 100.0)
    bare, calling = percentile(thread["bare"], 50) / 1e3, _of_pairs(found["cpu"])
    upload = found["upload"] / len(wall["ours"]) * 1e6
    yield _line(f"added CPU of the calling thread, server {state}", calling, "µs", bare)
    yield _line(f"CPU of the upload thread, a call, server {state}", upload, "µs")
    both = calling + upload
    yield _line(f"added CPU of both, a call, server {state}", both, "µs", bare, ADDED_CPU_US)
    yield _share(f"added CPU of both, of the bare call, server {state}", both, bare, ADDED_CPU_US)
    bare, ours = wall["bare"][-1] / 1e6, wall["ours"][-1] / 1e6
    yield _line(f"worst call, server {state}", ours, "ms", bare, 10.0)


def _share(what: str, added_us: float, bare_us: float, goal_us: float) -> Line:
    return _line(what, added_us / bare_us * 100, "%", goal=goal_us / GOALS_BARE_US * 100)


def _of_pairs(values: dict[str, list[int]]) -> float:
    """The median of what ours took more than the bare call beside it, in microseconds: a machine
    that is now fast and now slow is both for both."""
    pairs = zip(values["ours"], values["bare"], strict=True)
    return percentile(sorted(ours - bare for ours, bare in pairs), 50) / 1e3


def _memory(count: int) -> Iterator[Line]:
    with servers("up") as (provider, environment):
        bare = host("memory-bare", provider, count, environment)
        ours = host("memory", provider, count, environment)
    added = (ours["rss"] - bare["rss"]) / _MIB
    yield _line("memory added, after calls", added, "MiB", bare["rss"] / _MIB, 10.0)
    yield _line("threads added", ours["threads"] - bare["threads"], "", goal=1.0)


def _exit(states: Sequence[str]) -> Iterator[Line]:
    for state in states:
        with servers(state) as (provider, environment):
            took = [
                found["ended_at"] - found["done_at"]
                for found in (
                    host(kind, provider, 50, environment) for kind in ("exit-bare", "exit")
                )
            ]
        yield _line(f"exit, server {state}", took[1], "s", took[0], 2.0)


def _imports(times: int) -> Iterator[Line]:
    """CPU time, so that a busy machine says the same; beside nothing and beside openai."""
    pairs = {
        "import infraprism": ("pass", "import infraprism"),
        "from infraprism import InfraPrismOpenAI, beyond openai": (
            "import openai",
            "from infraprism import InfraPrismOpenAI",
        ),
    }
    for what, (before, imported) in pairs.items():
        program = (
            f"import time; {before}; began = time.process_time(); {imported}; "
            "print(time.process_time() - began)"
        )
        took = []
        for _ in range(times):
            run = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
            found = re.fullmatch(r"([\d.e-]+)\s*", run.stdout)
            assert found is not None, run.stdout
            took.append(float(found[1]))
        yield _line(what, sorted(took)[len(took) // 2], "s", goal=0.1)


def _line(
    what: str, figure: float, unit: str, floor: float | None = None, goal: float | None = None
) -> Line:
    return Line(
        section=SDK, what=what, stored=None, figure=figure, unit=unit, floor=floor, goal=goal
    )
