"""The labelled series: those that come with the project, or a folder in the benchmark's layout."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.anomalies.nab_score import Labelled

OURS = Path(__file__).parent / "nab" / "nab.zip"


def load(path: Path = OURS) -> dict[str, list[Labelled]]:
    """Files of 5-minute rows by group; `path` is a zip or a folder with data/ and labels/."""
    root: Path | zipfile.Path = path if path.is_dir() else zipfile.Path(path)
    labels = json.loads((root / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    groups: dict[str, list[Labelled]] = {}
    for name in sorted(labels):
        found = root / "data" / name
        if found.is_file():
            groups.setdefault(name.split("/")[0], []).append(
                _read(name, found.read_text(encoding="utf-8"), labels[name])
            )
    return groups


def hourly(file: Labelled) -> Labelled:
    """The means of clock hours; an hour without rows repeats the one before it."""
    hour = file.times // 3600
    first, last = int(hour[0]), int(hour[-1])
    counts = np.bincount(hour - first, minlength=last - first + 1)
    sums = np.bincount(hour - first, weights=file.values, minlength=last - first + 1)
    known = np.flatnonzero(counts)
    filled = known[np.searchsorted(known, np.arange(len(counts)), side="right") - 1]
    means = sums[filled] / counts[filled]
    windows = tuple(
        (int(hour[start]) - first, int(hour[end]) - first) for start, end in file.windows
    )
    ignored = file.most_ignored // 12
    return Labelled(file.name, np.arange(first, last + 1), means, windows, ignored)


def _read(name: str, text: str, windows: list[list[str]]) -> Labelled:
    rows = list(csv.reader(io.StringIO(text)))[1:]
    times = np.array([_seconds(row[0]) for row in rows])
    order = np.argsort(times, kind="stable")
    times = times[order]
    values = np.array([float(row[1]) for row in rows])[order]
    places = tuple(
        (
            int(np.searchsorted(times, _seconds(start))),
            int(np.searchsorted(times, _seconds(end), side="right")) - 1,
        )
        for start, end in windows
    )
    return Labelled(name, times, values, places)


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
