"""`python -m benchmarks.sdk`: the SDK's figures alone."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from benchmarks import machine
from benchmarks.report import Report
from benchmarks.sdk.measure import CALLS, measure


def main(words: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sdk", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help=f"in each state [{CALLS}]")
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of a table")
    parser.add_argument("--quick", action="store_true", help="shows that it works, not how fast")
    given = parser.parse_args(words)
    console = Console(highlight=False, stderr=given.markdown, width=150)
    report = Report(" ".join(["python -m benchmarks.sdk", *words]), machine.describe())
    report.parts["sdk"] = measure(
        lambda text: console.print(text, style="dim", markup=False),
        calls=given.calls,
        quick=given.quick,
    )
    if given.markdown:
        sys.stdout.write(report.markdown())
    else:
        report.print_to(console)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
