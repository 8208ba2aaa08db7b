"""`python -m benchmarks`: measure, print a table, write JSON and Markdown."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from benchmarks import machine
from benchmarks.report import Report, stored_name
from benchmarks.sdk.measure import measure as measure_sdk
from benchmarks.stage import PARTS, PARTS_WHEN_EMPTY, Stage
from benchmarks.writing import Options

_SIZES: Final = "1000000,10000000"
_QUICK_EVENTS: Final = 20_000
_TOO_LONG: Final = ("variants", "overload")
"""Parts that a quick run leaves out."""
_WIDTH: Final = 150
_REPORT_NAME: Final = "report.json"
_SDK: Final = "sdk"
_ALL_PARTS: Final = (*PARTS, _SDK)


def main(words: list[str]) -> int:
    """Run what the options say. 0 when it ran, whatever the figures are."""
    given = _parser().parse_args(words)
    console = Console(highlight=False, stderr=given.markdown)
    if not console.is_terminal:
        console.width = _WIDTH
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        report = _measure(given, given.keep, words, console)
    else:
        parent = given.folder or tempfile.gettempdir()
        with tempfile.TemporaryDirectory(prefix="infraprism-bench-", dir=parent) as folder:
            report = _measure(given, Path(folder), words, console)
    if given.markdown:
        sys.stdout.write(report.markdown())
    else:
        report.print_to(console)
    if given.json is not None:
        report.write_json(given.json)
    return 0


def _measure(given: argparse.Namespace, folder: Path, words: list[str], console: Console) -> Report:
    """The parts that were asked for, on top of what the folder's report holds already."""
    options = Options(
        seconds=0.5 if given.quick else given.seconds,
        calls=1 if given.quick else given.calls,
        seed=given.seed,
        quick=given.quick,
        floors=not given.no_floors,
        say=lambda text: console.print(text, style="dim", markup=False),
    )
    command = shlex.join(["python", "-m", "benchmarks", *words])
    kept = folder / _REPORT_NAME
    report = Report(command, machine.describe())
    if kept.exists():
        report.parts = msgspec.json.decode(kept.read_bytes(), type=Report).parts
    sizes = [_QUICK_EVENTS] if given.quick else [0, *map(int, given.events.split(","))]
    wanted = [name for name in given.parts if not given.quick or name not in _TOO_LONG]
    for events in sizes:
        console.rule(f"{stored_name(events)} events stored", align="left")
        with closing(Stage(folder / f"{events}-{given.seed}", events, options)) as stage:
            for name in PARTS if events else PARTS_WHEN_EMPTY:
                if name not in wanted or (given.resume and f"{name} {events}" in report.parts):
                    continue
                report.parts[f"{name} {events}"] = stage.measure(name)
                kept.write_bytes(msgspec.json.encode(report))
        if given.keep is None:
            stage.remove()
    if _SDK in wanted and not (given.resume and _SDK in report.parts):
        report.parts[_SDK] = measure_sdk(options.say, quick=given.quick)
        kept.write_bytes(msgspec.json.encode(report))
    return report


def _parts(text: str) -> list[str]:
    chosen = text.split(",")
    for name in chosen:
        if name not in _ALL_PARTS:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(_ALL_PARTS)}")
    return chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--events", default=_SIZES, help=f"stored sizes, by commas, beside 0 [{_SIZES}]"
    )
    parser.add_argument(
        "--parts",
        type=_parts,
        default=list(_ALL_PARTS),
        help=f"some of {','.join(_ALL_PARTS)} [all]",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="keep the loaded events and every figure there, and go on from them the next time",
    )
    parser.add_argument(
        "--resume", action="store_true", help="with --keep: only the parts that have no figures yet"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="how long each ingest run takes [10]"
    )
    parser.add_argument(
        "--calls",
        type=int,
        default=200,
        help="calls of each read; fewer, but 60, of what takes long [200]",
    )
    parser.add_argument("--seed", type=int, default=1, help="of events and questions [1]")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of tables")
    parser.add_argument(
        "--folder", type=Path, help="where the data folders are made [the system's temporary one]"
    )
    parser.add_argument(
        "--no-floors", action="store_true", help="without plain DuckDB beside the reads"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it works, not how fast"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
