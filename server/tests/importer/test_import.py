"""`infraprism import`, from files to what the server has afterwards."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import Result

Run = Callable[..., Result]

HEADER = "timestamp,provider,model,input_tokens,output_tokens,entity_type,entity_id,tags.env\n"
LINE = "2026-01-02T03:04:05Z,openai,gpt-4o,10,20,customer,acme,prod\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_csv_with_event_columns_needs_no_mapping(api: Any, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "calls.csv", HEADER + LINE)
    result = run(file)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("1 accepted, 0 duplicates, 0 rejected")
    (event,) = api.events.values()
    assert event.pop("id").startswith("evt_")
    assert event == {
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 10,
        "output_tokens": 20,
        "entity_type": "customer",
        "entity_id": "acme",
        "tags": {"env": "prod"},
    }


def test_two_equal_lines_stay_two_and_a_second_run_counts_nothing(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "calls.csv", HEADER + LINE * 3 + LINE.replace("acme", "globex"))
    assert "4 accepted, 0 duplicates" in run(file).output
    again = run(file)
    assert "0 accepted, 4 duplicates, 0 rejected" in again.output
    assert again.exit_code == 0
    assert len(api.events) == 4


def test_packed_files_give_the_same_ids(api: Any, run: Run, tmp_path: Path) -> None:
    content = (HEADER + LINE * 2).encode()
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(content))
    (tmp_path / "c.csv.zst").write_bytes(zstandard.compress(content))
    assert run(*sorted(tmp_path.glob("?.csv*"))).exit_code == 0
    assert len(api.events) == 2


def test_the_same_line_of_two_services_is_two_calls(api: Any, run: Run, tmp_path: Path) -> None:
    file = write(
        tmp_path / "calls.csv", "timestamp,provider,model\n2026-01-01T00:00:00Z,openai,o\n"
    )
    for service in ("chat", "code"):
        run(file, "--set", "entity_type=project", "--set", f"entity_id={service}")
    assert sorted(event["entity_id"] for event in api.events.values()) == ["chat", "code"]


def test_a_file_of_headers_only_is_fine(run: Run, tmp_path: Path) -> None:
    result = run(write(tmp_path / "calls.csv", HEADER))
    assert (result.exit_code, result.output.split(";")[0]) == (
        0,
        "0 accepted, 0 duplicates, 0 rejected",
    )


def test_json_lines_by_dotted_paths_with_exact_costs(api: Any, run: Run, tmp_path: Path) -> None:
    record = {
        "id": "call-1",
        "time": 1767323045.5,
        "usage": {"prompt_tokens": 7},
        "llm": {"vendor": "openai", "name": "gpt-4o"},
        "tags": {"n": 1, "on": True, "none": None},
        "ok": False,
        "cost": 0.1,
    }
    file = write(tmp_path / "calls.jsonl", json.dumps(record) + "\n\n")
    result = run(
        file,
        *("--map", "timestamp=time", "--map", "input_tokens=usage.prompt_tokens"),
        *("--map", "provider=llm.vendor", "--map", "model=llm.name"),
        *("--map", "success=ok", "--map", "cost_usd=cost", "--set", "tags.source=import"),
    )
    assert result.exit_code == 0, result.output
    assert api.events["call-1"] == {
        "id": "call-1",
        "timestamp": "2026-01-02T03:04:05.500000Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 7,
        "tags": {"n": "1", "on": "true", "source": "import"},
        "success": False,
        "cost_usd": "0.1",  # the test server reads fractions as text
    }


def test_parquet_with_typed_columns(api: Any, run: Run, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    table = pa.table(
        {
            "at": pa.array([moment, moment], pa.timestamp("ns", tz="Europe/Berlin")),
            "usage": [{"in": 5, "out": 6}, {"in": None, "out": 1}],
            "cost": pa.array([0.1, None], pa.float64()),
            "latency_ms": [12.6, 1.0],
            "entity_id": ["acme", None],
            "tags": pa.array([[("env", "prod")], None], pa.map_(pa.string(), pa.string())),
        }
    )
    pq.write_table(table, tmp_path / "calls.parquet")
    result = run(
        tmp_path / "calls.parquet",
        *("--map", "timestamp=at", "--map", "input_tokens=usage.in"),
        *("--map", "output_tokens=usage.out", "--map", "cost_usd=cost"),
        *("--set", "entity_type=customer", "--assume-model", "openai/gpt-4o"),
    )
    assert result.exit_code == 0, result.output
    first, second = sorted(api.events.values(), key=lambda event: event["output_tokens"])[::-1]
    assert first | {"id": ""} == {
        "id": "",
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 5,
        "output_tokens": 6,
        "cost_usd": "0.1",
        "latency_ms": 13,
        "entity_type": "customer",
        "entity_id": "acme",
        "tags": {"env": "prod"},
    }
    assert not {"entity_type", "entity_id", "tags", "cost_usd"} & set(second)


def test_the_azure_preset_and_the_last_day_becomes_yesterday(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "trace.csv",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-15 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n",
    )
    result = run(
        file, "--preset", "azure-trace", "--assume-model", "openai/gpt-4o", "--shift=to-yesterday"
    )
    assert result.exit_code == 0, result.output
    assert "All times were moved by +" in result.output
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    assert sorted(event["timestamp"] for event in api.events.values()) == [
        f"{yesterday - timedelta(days=1)}T18:17:03.979960Z",
        f"{yesterday}T18:17:04.031960Z",
    ]


def test_rejected_lines_are_counted_with_reasons_and_written(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "calls.csv",
        HEADER
        + LINE
        + LINE.replace("10", "ten")
        + LINE.replace("10", "-1")
        + "too,few\n"
        + LINE.replace("2026-01-02T03:04:05Z", "soon"),
    )
    rejects = tmp_path / "rejects.jsonl"
    result = run(file, "--rejects", rejects, "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert (summary["accepted"], summary["duplicates"], summary["rejected"]) == (1, 0, 4)
    records = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert {record["line"]: record["error"]["message"] for record in records} == {
        3: "input_tokens 'ten' is not a number",
        4: "input_tokens is wrong",
        5: "The line has 2 columns where the header has 8",
        6: "timestamp 'soon' is not an ISO 8601 time",
    }
    by_line = {record["line"]: record for record in records}
    assert by_line[4]["error"]["param"] == "input_tokens"
    assert by_line[4]["row"]["input_tokens"] == "-1"
    assert len(api.events) == 1


def test_bytes_that_are_not_utf8_reject_their_line_alone(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "calls.csv"
    file.write_bytes((HEADER + LINE).encode() + LINE.encode().replace(b"acme", b"caf\xe9"))
    result = run(file, "--rejects", tmp_path / "rejects.jsonl")
    assert "1 accepted, 0 duplicates, 1 rejected" in result.output
    assert "The line is not UTF-8 (line 3)" in result.output


def test_a_mapping_that_does_not_fit_is_answered_with_what_to_type(
    api: Any, run: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "x.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-01,1,2\n")
    result = run(file)
    assert result.exit_code == 2
    assert "The file's columns: TIMESTAMP, ContextTokens, GeneratedTokens" in result.output
    advice = next(line for line in result.output.splitlines() if line.startswith("Try: "))
    typed = advice.removeprefix("Try: ").split()
    result = run(file, *typed)
    assert "add --timezone UTC" in result.output
    assert run(file, *typed, "--timezone", "UTC").exit_code == 0
    assert len(api.events) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "timestamp=Timestmp"], "Did you mean --map timestamp=timestamp?"),
        (["--map", "input=x"], "An event has no field 'input'. Did you mean input_tokens?"),
        (["--map", "model"], "write it as --map field=column"),
        (["--set", "input_tokens=many"], "--set input_tokens=many: 'many' is not a number"),
        (["--set", "tags=x"], "A tag is set as --set tags.KEY=value"),
        (["--map", "model=model", "--set", "model=x"], "drop one"),
        (["--assume-model", "gpt-4o"], "write it as provider/model"),
        (["--timezone", "Mars/Olympus"], "There is no time zone 'Mars/Olympus'"),
        (["--shift", "tomorrow"], "--shift takes whole days or to-yesterday"),
    ],
)
def test_a_wrong_option_says_what_to_type(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = run(write(tmp_path / "calls.csv", HEADER + LINE), *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_options_win_over_the_mapping_file(api: Any, run: Run, tmp_path: Path) -> None:
    mapping = {
        "map": {"timestamp": "when", "tags.env": "stage"},
        "set": {"input_tokens": 3, "provider": "anthropic"},
        "assume_model": "openai/gpt-4o",
        "timezone": "Europe/Berlin",
    }
    file = write(tmp_path / "c.csv", "when;stage\n2026-07-01 12:00:00;prod\n")
    options = write(tmp_path / "mapping.json", json.dumps(mapping))
    result = run(file, "--mapping", options, "--set", "input_tokens=4")
    assert result.exit_code == 0, result.output
    (event,) = api.events.values()
    assert event["timestamp"] == "2026-07-01T10:00:00.000000Z"
    assert (event["provider"], event["model"], event["input_tokens"]) == ("anthropic", "gpt-4o", 4)
    assert event["tags"] == {"env": "prod"}


def test_a_column_can_be_left_out(api: Any, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "calls.csv", HEADER + LINE)
    assert run(file, "--map", "input_tokens=", "--map", "tags.env=").exit_code == 0
    (event,) = api.events.values()
    assert "input_tokens" not in event
    assert "tags" not in event


def test_a_dry_run_shows_events_and_sends_nothing(api: Any, run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "calls.csv", HEADER + LINE * 7 + "bad\n")
    result = run(file, "--dry-run")
    assert result.exit_code == 1
    shown = [json.loads(line) for line in result.output.splitlines() if line.startswith("{")]
    assert len(shown) == 5
    assert len({event["id"] for event in shown}) == 5
    assert "7 lines can be sent, 1 can not" in result.output
    assert not api.batches


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("calls.jsonl", b'[{"a": 1},\n{"a": 2}]\n', "jq -c"),
        ("calls.jsonl", b"timestamp,model\n", "is not JSON lines"),
        ("calls.parquet", b"PAR1 not at all", "is not a Parquet file"),
        ("calls.csv", b"", "no column names"),
        ("calls.csv", b"a,a\n1,2\n", "the column 'a' is there twice"),
        ("calls.bin", b"", "--format csv, jsonl, parquet"),
    ],
)
def test_a_file_that_can_not_be_read_is_one_clear_line(
    run: Run, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = run(tmp_path / name)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_file_cut_in_the_middle_keeps_what_came_before(
    api: Any, run: Run, tmp_path: Path
) -> None:
    lines = "".join(LINE.replace("acme", f"c{number}") for number in range(5_000))
    packed = gzip.compress((HEADER + lines).encode())
    (tmp_path / "calls.csv.gz").write_bytes(packed[: len(packed) * 3 // 4])
    result = run(tmp_path / "calls.csv.gz")
    assert result.exit_code == 1
    assert "ends or breaks in the middle" in result.output
    assert len(api.events) >= 1_000
