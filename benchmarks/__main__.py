"""`python -m benchmarks`: measure, print a table, write JSON and Markdown."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import machine
from benchmarks.report import Report, stored_name
from benchmarks.stage import Options, Stage

_SIZES: Final = "1000000,10000000"
_QUICK_EVENTS: Final = 20_000
_WIDTH: Final = 150


def main(words: list[str]) -> int:
    """Run what the options say. 0 when it ran, whatever the figures are."""
    given = _parser().parse_args(words)
    sizes = [_QUICK_EVENTS] if given.quick else [int(size) for size in given.events.split(",")]
    console = Console(highlight=False, stderr=given.markdown)
    if not console.is_terminal:
        console.width = _WIDTH
    options = Options(
        seconds=0.5 if given.quick else given.seconds,
        calls=1 if given.quick else given.calls,
        seed=given.seed,
        quick=given.quick,
        say=lambda text: console.print(text, style="dim", markup=False),
    )
    report = Report(
        command=shlex.join(["python", "-m", "benchmarks", *words]),
        machine=machine.describe(),
        load_average_before=machine.load_average(),
    )
    started = time.perf_counter()
    parent = given.folder or tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="infraprism-bench-", dir=parent) as folder:
        for events in sizes if given.quick else [0, *sizes]:
            console.rule(f"{stored_name(events)} events stored", align="left")
            Stage(Path(folder) / str(events), events, options, report).measure()
    report.seconds = time.perf_counter() - started
    if given.markdown:
        sys.stdout.write(report.markdown())
    else:
        report.print_to(console)
    if given.json is not None:
        report.write_json(given.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--events", default=_SIZES, help=f"stored sizes, by commas, beside 0 [{_SIZES}]"
    )
    parser.add_argument(
        "--seconds", type=float, default=15.0, help="how long each ingest run takes [15]"
    )
    parser.add_argument("--calls", type=int, default=100, help="calls of each read [100]")
    parser.add_argument("--seed", type=int, default=1, help="of events and questions [1]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of tables")
    parser.add_argument(
        "--folder", type=Path, help="where the data folders are made [the system's temporary one]"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it works, not how fast"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
