"""The bundled trace: complete, moved to yesterday, the same each time, and in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from infraprism_server.clock import MICROSECONDS_PER_DAY, to_us
from infraprism_server.importer.sample import ABOUT, CALLS, import_sample, sample_batches

ROOT = Path(__file__).parents[3]
NOW_US = to_us(datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC))


def test_every_call_of_the_trace_is_there_and_lies_on_yesterday() -> None:
    events = [event for batch in sample_batches(NOW_US) for event in batch]
    assert len(events) == CALLS == len({event["id"] for event in events})
    assert Counter(event["entity_id"] for event in events) == {
        "chat": 19_366,
        "code-assistant": 8_819,
    }
    assert sum(int(str(event["input_tokens"])) for event in events) == 18_059_974 + 22_361_870
    assert sum(int(str(event["output_tokens"])) for event in events) == 245_896 + 4_088_665
    assert events[0]["timestamp"] == "2026-02-28T18:15:46.680590Z"
    assert {str(event["timestamp"])[:10] for event in events} == {"2026-02-28"}


def test_the_same_day_gives_the_same_events_and_another_day_others() -> None:
    first = next(sample_batches(NOW_US))
    assert next(sample_batches(NOW_US + MICROSECONDS_PER_DAY // 2)) == first
    assert next(sample_batches(NOW_US + MICROSECONDS_PER_DAY))[0]["id"] != first[0]["id"]


def test_the_models_that_are_assumed_are_said() -> None:
    models = {str(event["model"]) for batch in sample_batches(NOW_US) for event in batch}
    readme = (ROOT / "sample_data" / "README.md").read_text()
    for model in models:
        assert model in ABOUT
        assert model in readme


def test_import_sample_hands_over_everything_and_tells_how_far_it_is() -> None:
    sent: list[int] = []
    told: list[tuple[int, int]] = []
    done = import_sample(
        lambda batch: sent.append(len(batch)), NOW_US, lambda *step: told.append(step)
    )
    assert done == sum(sent) == CALLS
    assert max(sent) <= 1_000
    assert told[-1] == (CALLS, CALLS)


def test_the_wheel_carries_the_trace_with_its_licence(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT / "server",
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("azure-llm-2023.csv.gz", "LICENSE", "README.md"):
        assert f"infraprism_server/sample_data/{name}" in names


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_bytes((ROOT / "sample_data" / "make.py").read_bytes())
    header = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    code, conv = tmp_path / "code.csv", tmp_path / "conv.csv"
    code.write_text(header + "2023-11-16 18:17:03.9799600,4808,10")
    conv.write_text(header + "2023-11-16 18:15:46.6805900,374,44\r\n")
    made = []
    for _ in range(2):
        subprocess.run([sys.executable, str(script), str(code), str(conv)], check=True)
        made.append((tmp_path / "azure-llm-2023.csv.gz").read_bytes())
    assert made[0] == made[1]
