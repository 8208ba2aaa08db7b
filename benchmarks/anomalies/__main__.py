"""`python -m benchmarks.anomalies`: how good the detector is, and what judging costs."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console

from benchmarks import machine
from benchmarks.anomalies import frozen, nab, speed, synthetic
from benchmarks.anomalies.gaussian import gaussian_score
from benchmarks.anomalies.nab_data import OURS, hourly, load
from benchmarks.anomalies.simulate import Verdict, alerts_of, judge
from benchmarks.report import LABELLED, SPEED, SYNTHETIC, Line, Part, Report
from infraprism_server.anomalies.detection import SCALES
from infraprism_server.anomalies.finding import Tuning

PARTS = ("labelled", "synthetic", "speed")
SEEDS = (1, 2, 3, 4, 5)
ENTITIES = 2_000
SPEED_ENTITIES = 100_000
_MEGABYTE = 1 << 20


def main(words: list[str]) -> int:
    """Measure and print tables; 1 when the parameters are not those that were frozen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anomalies", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--labelled", type=Path, default=OURS, metavar="PATH")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--entities", type=int, default=ENTITIES, help="of the synthetic suite")
    parser.add_argument("--many", type=int, default=SPEED_ENTITIES, help="of the speed")
    parser.add_argument("--sensitivity", choices=SCALES, default="default")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--freeze", action="store_true", help="write the parameters down")
    given = parser.parse_args(words)
    if given.freeze:
        frozen.freeze()
        return 0
    report = Report(
        shlex.join(["python", "-m", "benchmarks.anomalies", *words]), machine.describe()
    )
    parts = given.only or PARTS
    part = report.parts["anomalies"] = Part(machine.now(), machine.load_average())
    began = time.perf_counter()
    if "labelled" in parts:
        _labelled(part, given.labelled)
    if "synthetic" in parts:
        seeds = [int(seed) for seed in given.seeds.split(",")]
        _synthetic(part, seeds, given.entities, Tuning(given.sensitivity))
    if "speed" in parts:
        _speed(part, given.many)
    part.seconds = time.perf_counter() - began
    console = Console(highlight=False, width=150)
    if given.markdown:
        sys.stdout.write(report.markdown())
    else:
        report.print_to(console)
    if given.json is not None:
        report.write_json(given.json)
    changed = frozen.differences()
    for line in changed:
        sys.stderr.write(f"not as frozen: {line}\n")
    return 1 if changed else 0


def _labelled(part: Part, path: Path) -> None:
    files = load(path)
    groups = {
        name: nab.judge_group([hourly(file) for file in group]) for name, group in files.items()
    }
    labelled = {
        name: group for name, group in groups.items() if any(file.windows for file in group.files)
    }
    threshold = nab.best_threshold(list(labelled.values()))

    def add(what: str, figure: float, unit: str, **fields: float) -> None:
        line = Line(section=LABELLED, what=what, stored=None, figure=figure, unit=unit, **fields)
        part.lines.append(line)

    together = nab.score_at(list(labelled.values()), threshold)
    part.lines.append(
        Line(
            section=LABELLED,
            what=f"all groups with labels, one threshold ({threshold:.2f} ranges)",
            stored=None,
            figure=together,
            unit="points",
            goal=66,
            bound=">=",
        )
    )
    for name, group in groups.items():
        if name in labelled:
            add(f"{name}, with that threshold", nab.score_at([group], threshold), "points")
            own = nab.best_threshold([group])
            add(f"{name}, with its own best ({own:.2f})", nab.score_at([group], own), "points")
        else:
            add(
                f"{name}: alerts in {len(group.files)} files",
                nab.alarms(group, threshold),
                "",
                goal=0,
            )
    if "realAWSCloudwatch" in files:
        add(
            f"check of the rule: windowed Gaussian on realAWSCloudwatch (published"
            f" {nab.PUBLISHED['windowed Gaussian']})",
            gaussian_score(files["realAWSCloudwatch"]),
            "points",
        )


def _synthetic(part: Part, seeds: list[int], entities: int, tuning: Tuning) -> None:
    verdicts = []
    for seed in seeds:
        suite = synthetic.make(seed, entities)
        verdicts.append(judge(suite, alerts_of(suite, tuning)))
        sys.stderr.write(f"seed {seed}: recall {_recall([verdicts[-1]]):.3f}\n")
    name = f"{len(seeds)} seeds x {entities:,} entities x 8 weeks, {tuning.sensitivity}"
    weeks = sum(verdict.entity_weeks for verdict in verdicts)
    delays = [delay for verdict in verdicts for delay in verdict.delays]
    false_alarms = sum(verdict.false_alarms for verdict in verdicts)
    second = sum(verdict.second_alerts for verdict in verdicts)
    for what, figure, unit, goal, bound in (
        ("recall of material injections", _recall(verdicts), "", 0.87, ">="),
        ("false alarms an entity and week", false_alarms / weeks, "", 0.007, "<="),
        ("delay, median", median(delays), "h", 3, "<="),
        ("delay, p90", float(np.quantile(delays, 0.9)), "h", 24, "<="),
        ("second alerts of one injection", second, "", 0, "<="),
    ):
        part.lines.append(
            Line(
                section=SYNTHETIC,
                what=f"{name}: {what}",
                stored=None,
                figure=figure,
                unit=unit,
                goal=goal,
                bound=bound,  # type: ignore[arg-type]  # one of the two
            )
        )
    for kind in synthetic.KINDS:
        told = sum(verdict.told[kind] for verdict in verdicts)
        material = sum(verdict.material[kind] for verdict in verdicts)
        delays = [delay for verdict in verdicts for delay in verdict.delays_by_kind[kind]]
        part.lines.append(
            Line(
                section=SYNTHETIC,
                what=f"{kind}: {told} of {material} found; delay",
                stored=None,
                figure=float(np.quantile(delays, 0.9)) if delays else 0.0,
                unit="h (p90)",
                median=median(delays) if delays else None,
            )
        )


def _recall(verdicts: list[Verdict]) -> float:
    told = sum(sum(verdict.told.values()) for verdict in verdicts)
    return told / sum(sum(verdict.material.values()) for verdict in verdicts)


def _speed(part: Part, entities: int) -> None:
    found = speed.measure(entities)
    part.lines += [
        Line(
            section=SPEED,
            what=f"{entities:,} entities, one closed hour: CPU (floor: numpy's medians alone)",
            stored=None,
            figure=found.cpu_seconds,
            unit="s",
            goal=5,
            floor=found.floor_cpu_seconds,
        ),
        Line(
            section=SPEED,
            what="memory of that process at its peak",
            stored=None,
            figure=found.peak_bytes / _MEGABYTE,
            unit="MB",
            goal=500,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
