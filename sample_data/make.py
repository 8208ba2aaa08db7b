"""Makes azure-llm-2023.csv.gz from the two CSV files of the Azure LLM inference trace 2023.

    python sample_data/make.py AzureLLMInferenceTrace_code.csv AzureLLMInferenceTrace_conv.csv

Nothing is invented here: both services in one file by time, columns named as event fields,
timestamps read as UTC and cut to microseconds. The same input gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from pathlib import Path

TARGET = Path(__file__).with_name("azure-llm-2023.csv.gz")
SERVICES = ("code-assistant", "chat")


def rows_of(path: Path, service: str) -> list[tuple[str, str, int, int]]:
    """(timestamp, service, input tokens, output tokens) of every call in a file of the trace."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            (
                f"{row['TIMESTAMP'][:10]}T{row['TIMESTAMP'][11:26]}Z",
                service,
                int(row["ContextTokens"]),
                int(row["GeneratedTokens"]),
            )
            for row in csv.DictReader(file)
        ]


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = [
        row
        for name, service in zip(sys.argv[1:], SERVICES, strict=True)
        for row in rows_of(Path(name), service)
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("timestamp", "entity_id", "input_tokens", "output_tokens"))
    writer.writerows(sorted(rows, key=lambda row: row[0]))
    TARGET.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))
    sys.stdout.write(f"{TARGET}: {len(rows):,} calls, {TARGET.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
