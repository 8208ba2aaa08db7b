"""The bundled sample: one hour of real traffic of two services, moved to yesterday.

The trace (Azure LLM inference trace 2023, CC-BY 4.0, see sample_data/README.md) names no model;
the ones here are assumed and are said to be wherever the sample is shown.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from typing import Final

from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.errors import StartupError
from infraprism_server.ids import derived_event_id
from infraprism_server.importer.instants import instants, iso_texts
from infraprism_server.importer.translation import Event

CALLS: Final = 28_185
BATCH: Final = 1_000
ASSUMED_MODELS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "code-assistant": (
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o"),
        ("anthropic", "claude-sonnet-4-5"),
    ),
    "chat": (
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-haiku-4-5"),
    ),
}
"""Project to the (provider, model) of its calls, in turn."""

ABOUT: Final = (
    "Sample: 28,185 real calls of two Azure services (Azure LLM inference trace 2023, CC-BY 4.0), "
    "moved from 2023-11-16 to yesterday. The trace names no model: code-assistant is assumed to "
    "use gpt-4o and claude-sonnet-4-5, chat gpt-4o-mini and claude-haiku-4-5."
)
"""What must be said where the sample is shown."""

_NAME = "azure-llm-2023.csv.gz"
_DATA_SET = "azure-llm-2023"


def sample_batches(now_us: int) -> Iterator[list[Event]]:
    """The sample's events, oldest first, in batches for POST /v1/events.

    They lie on the UTC day before `now_us`; ids are the same for the same day.
    """
    events = _events(now_us)
    while batch := list(islice(events, BATCH)):
        yield batch


def import_sample(
    send: Callable[[list[Event]], object],
    now_us: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Hand every batch to `send`, telling `on_progress` (done, of all). Answers how many it was."""
    done = 0
    for batch in sample_batches(now_us):
        send(batch)
        done += len(batch)
        if on_progress is not None:
            on_progress(done, CALLS)
    return done


def _events(now_us: int) -> Iterator[Event]:
    rows = list(csv.DictReader(io.StringIO(_text())))
    times, _ = instants([row["timestamp"] for row in rows], None)
    known = [at for at in times if at is not None]
    last_day = max(known) // MICROSECONDS_PER_DAY
    shift_us = (now_us // MICROSECONDS_PER_DAY - 1 - last_day) * MICROSECONDS_PER_DAY
    shifted = [at + shift_us for at in known]
    position = dict.fromkeys(ASSUMED_MODELS, 0)
    for row, at, written in zip(rows, shifted, iso_texts(shifted), strict=True):
        project = row["entity_id"]
        models = ASSUMED_MODELS[project]
        provider, model = models[position[project] % len(models)]
        position[project] += 1
        yield {
            "id": derived_event_id(at, _DATA_SET, project, str(position[project])),
            "timestamp": written,
            "provider": provider,
            "model": model,
            "input_tokens": int(row["input_tokens"]),
            "output_tokens": int(row["output_tokens"]),
            "entity_type": "project",
            "entity_id": project,
        }


def _text() -> str:
    """The data: inside the wheel, or in sample_data/ of the source tree it runs from."""
    packaged: Traversable = files("infraprism_server").joinpath("sample_data", _NAME)
    source: Traversable = Path(__file__).parents[4] / "sample_data" / _NAME
    for place in (packaged, source):
        if place.is_file():
            return gzip.decompress(place.read_bytes()).decode()
    raise StartupError(f"{_NAME} is missing from this installation; start with INFRAPRISM_SAMPLE=0")
