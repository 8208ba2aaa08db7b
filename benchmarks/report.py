"""The figures as a table on the terminal, as JSON, and as Markdown for docs/benchmarks.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

Bound = Literal["<=", ">="]
START: Final = "Start and stop"
STORAGE: Final = "Loading and storage"
INGEST: Final = "Ingest over HTTP"
READS: Final = "Reads over HTTP, one client"
EXPORTS: Final = "Exports"
PAGES: Final = "The dashboard's pages"
OVERLOAD: Final = "Twice the load it can take"
SDK: Final = "The Python SDK, beside the bare client"
LABELLED: Final = "Anomalies: labelled series, hourly means"
SYNTHETIC: Final = "Anomalies: synthetic spend"
SPEED: Final = "Anomalies: what judging costs"
_ANOMALIES: Final = (LABELLED, SYNTHETIC, SPEED)
SECTIONS: Final = (INGEST, READS, PAGES, EXPORTS, OVERLOAD, STORAGE, START, SDK, *_ANOMALIES)
HEADS: Final = (
    "what",
    "stored",
    "goal",
    "figure",
    "median",
    "first",
    "floor",
    "times the floor",
    "CPU",
    "",
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. Without a goal it is stated, not judged.

    Of times `figure` is the 99th percentile and `median` stands beside it; a floor's time is a
    median, and compared with ours.
    """

    section: str
    what: str
    stored: int | None
    figure: float
    unit: str
    goal: float | None = None
    bound: Bound = "<="
    median: float | None = None
    first: float | None = None
    """Of a kind of call: apart from the others, which `figure` and `median` are about."""
    floor: float | None = None
    cpu_ms: float | None = None
    """Of the server, a call."""

    @property
    def passed(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.figure <= self.goal if self.bound == "<=" else self.figure >= self.goal

    @property
    def ratio(self) -> float | None:
        """The figure (of times: the median) in multiples of its floor."""
        if not self.floor:
            return None
        return (self.figure if self.median is None else self.median) / self.floor

    def cells(self) -> tuple[str, ...]:
        """The columns of HEADS."""
        verdict = {None: "", True: "pass", False: "miss"}[self.passed]
        return (
            self.what,
            "" if self.stored is None else stored_name(self.stored),
            "" if self.goal is None else f"{self.bound} {shown(self.goal)} {self.unit}",
            f"{shown(self.figure)} {self.unit}",
            "" if self.median is None else f"{shown(self.median)} {self.unit}",
            "" if self.first is None else f"{shown(self.first)} {self.unit}",
            "" if self.floor is None else f"{shown(self.floor)} {self.unit}",
            "" if self.ratio is None else f"{self.ratio:.2f}",
            "" if self.cpu_ms is None else f"{shown(self.cpu_ms)} ms",
            verdict,
        )


class Part(msgspec.Struct):
    """One part of the measurements at one stored size: when, beside how much, and what came out."""

    began: str
    load_average_before: float
    lines: list[Line] = msgspec.field(default_factory=list)
    seconds: float = 0.0


class Report(msgspec.Struct):
    """What on, how, and what came out, part by part: a part that is measured again replaces."""

    command: str
    machine: dict[str, str]
    parts: dict[str, Part] = msgspec.field(default_factory=dict)

    @property
    def lines(self) -> list[Line]:
        return [line for part in self.parts.values() for line in part.lines]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts.values())

    @property
    def load_average_before(self) -> float:
        """The highest before any part."""
        return max((part.load_average_before for part in self.parts.values()), default=0.0)

    @property
    def sections(self) -> list[str]:
        return sorted({line.section for line in self.lines}, key=SECTIONS.index)

    def write_json(self, path: Path) -> None:
        """Everything, with pass and ratio worked out."""
        lines = [
            msgspec.to_builtins(line) | {"passed": line.passed, "ratio": line.ratio}
            for line in self.lines
        ]
        document = msgspec.to_builtins(self) | {"lines": lines, "seconds": self.seconds}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def print_to(self, console: Console) -> None:
        """A table a section, and the verdict."""
        for section in self.sections:
            table = Table(title=section, title_justify="left", header_style="bold")
            for place, head in enumerate(HEADS):
                table.add_column(head, justify="left" if place in (0, len(HEADS) - 1) else "right")
            for line in self.lines:
                if line.section == section:
                    style = {None: None, True: "green", False: "red"}[line.passed]
                    table.add_row(*line.cells(), style=style)
            console.print(table)
        console.print(self.verdict())

    def verdict(self) -> str:
        """One sentence."""
        judged = [line.passed for line in self.lines if line.passed is not None]
        return (
            f"{judged.count(True)} of {len(judged)} goals reached in {self.seconds:.0f} s;"
            f" highest load average before a part {self.load_average_before:.2f}"
            + (" (the machine was not quiet)" if self.load_average_before > 0.5 else "")
        )

    def markdown(self) -> str:
        """The same for docs/benchmarks.md."""
        parts = [f"`{self.command}`", "", "| | |", "|---|---|"]
        parts += [f"| {name} | {value} |" for name, value in self.machine.items()]
        for section in self.sections:
            parts += ["", f"### {section}", "", f"| {' | '.join(HEADS)} |"]
            parts.append("|" + "---|" * len(HEADS))
            parts += [
                f"| {' | '.join(line.cells())} |" for line in self.lines if line.section == section
            ]
        return "\n".join([*parts, "", self.verdict() + ".", ""])


def stored_name(events: int) -> str:
    """50 M, 10 k, 0."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if events >= size:
            return f"{events / size:g} {letter}"
    return str(events)


def shown(value: float) -> str:
    """Three figures that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
