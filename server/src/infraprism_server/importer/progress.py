"""How an import goes, on the terminal: a bar where there is one, notes on stderr everywhere."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from infraprism_server.importer.summary import Counts


class PlainReporter:
    """Notes alone: for pipes, logs and --no-progress."""

    def started(self, path: Path) -> None:
        """Nothing is said of a file that starts."""

    def moved(self, fraction: float, counts: Counts) -> None:
        """Nothing is said of each step."""

    def note(self, text: str) -> None:
        click.echo(text, err=True)


class BarReporter:
    """One bar a file, with lines a second; notes appear above it."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._started_at = 0.0
        self._lines_before: int | None = None

    def __enter__(self) -> BarReporter:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def started(self, path: Path) -> None:
        self._task = self._progress.add_task(path.name, total=1.0, said="")
        self._started_at = time.monotonic()
        self._lines_before = None

    def moved(self, fraction: float, counts: Counts) -> None:
        if self._task is None:
            return
        if self._lines_before is None:
            self._lines_before = counts.lines
        seconds = max(time.monotonic() - self._started_at, 0.001)
        rate = (counts.lines - self._lines_before) / seconds
        said = f"{counts.lines:,} lines, {rate:,.0f}/s"
        if counts.rejected:
            said += f", {counts.rejected:,} rejected"
        self._progress.update(self._task, completed=fraction, said=said)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)
