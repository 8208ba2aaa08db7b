"""The detector's parameters as they were written down before the suites were run.

`python -m benchmarks.anomalies --freeze` writes `frozen.json`. It is committed before the figures
are measured; every run compares, and a test fails when code and file differ. So a figure in the
documents belongs to the parameters of an earlier commit, and whoever changes one must freeze and
measure anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infraprism_server.anomalies import (
    band,
    calendar,
    detection,
    drift,
    episode,
    finding,
    history,
    newcomers,
    novelty,
    watch,
)

FROZEN = Path(__file__).with_name("frozen.json")
_MODULES = (
    band,
    calendar,
    detection,
    drift,
    episode,
    finding,
    history,
    newcomers,
    novelty,
    watch,
)


def parameters() -> dict[str, Any]:
    """Every constant of the detector's modules, by module and name."""
    found: dict[str, Any] = {}
    for module in _MODULES:
        room = module.__name__.rsplit(".", 1)[1]
        for name, value in sorted(vars(module).items()):
            plain = isinstance(value, int | float | tuple | dict)
            if name.isupper() and not name.startswith("_") and plain:
                found[f"{room}.{name}"] = value
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # tuples as lists


def frozen() -> dict[str, Any]:
    """What is written down."""
    return json.loads(FROZEN.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def freeze() -> None:
    FROZEN.write_text(json.dumps(parameters(), indent=1) + "\n", encoding="utf-8")


def differences() -> list[str]:
    """Which parameters are not those that were frozen."""
    now, then = parameters(), frozen()
    return sorted(
        f"{name}: {then.get(name)} when frozen, {now.get(name)} now"
        for name in now.keys() | then.keys()
        if now.get(name) != then.get(name)
    )
