"""Run the tests of both providers with the oldest versions that are supported.

    python -m sdk.tests.oldest

It makes an environment of its own with uv. Ways to call that those versions do not have yet
(responses, `parse` and `stream` of chat completions, `count_tokens`) are left out by name.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST = ["openai==1.40.0", "anthropic==0.40.0", "httpx<0.28"]
NOT_YET = ["parse", "stream_helper", "responses", "responses_stream"]
NOT_YET_TESTS = [
    "test_async_calls_and_streams_are_recorded",
    "test_counting_tokens_is_free_and_not_recorded",
]


def main() -> int:
    way = "test_openai.py::test_every_way_to_call_records_one_event_with_its_tokens"
    left_out = [f"sdk/tests/{way}[{name}]" for name in NOT_YET]
    left_out.append(f"sdk/tests/test_openai.py::{NOT_YET_TESTS[0]}")
    left_out.append(f"sdk/tests/test_anthropic.py::{NOT_YET_TESTS[1]}")
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        uv = str(Path(sys.executable).parent / "uv")
        tools = ["pytest", "hypothesis", "httpx2", "-e", str(ROOT / "sdk")]
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, folder],
            [uv, "pip", "install", "--quiet", "--python", str(python), *OLDEST, *tools],
        ):
            subprocess.run(command, check=True)
        run = [str(python), "-m", "pytest", "-q", "--import-mode=importlib", "-c", "/dev/null"]
        run += ["-p", "no:cacheprovider", f"--rootdir={ROOT}"]
        run += [f"--deselect={name}" for name in left_out]
        run += ["sdk/tests/test_openai.py", "sdk/tests/test_anthropic.py"]
        return subprocess.run(run, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
