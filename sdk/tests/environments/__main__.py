"""The whole tests of both providers in every environment; `--lock` renews their versions."""

from __future__ import annotations

import subprocess
import sys

from sdk.tests.environments import PROVIDERS, ROOT, lock, python_of, variables

FILES = [
    "test_openai.py",
    "test_anthropic.py",
    "test_batches.py",
    "test_clients.py",
    "test_keywords.py",
]
NOT_YET = {
    "oldest": [
        *("parse", "stream_helper", "responses", "background", "count_tokens", "async_calls"),
        *("anthropic_results", "each_result_can", "first_token", "plain_answer", "opened_later"),
    ],
}
"""What the oldest versions do not have yet, by words in the names of the tests."""


def main() -> int:
    if "--lock" in sys.argv:
        lock()
        return 0
    worst = 0
    for name in PROVIDERS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        command = [str(python_of(name)), "-m", "pytest", "-q", "--import-mode=importlib"]
        command += ["-c", "/dev/null", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
        left_out = NOT_YET.get(name, [])
        if left_out:
            command += ["-k", f"not ({' or '.join(left_out)})"]
        command += [f"sdk/tests/{file}" for file in FILES]
        worst |= subprocess.run(command, cwd=ROOT, env=variables(), check=False).returncode
    return worst


if __name__ == "__main__":
    sys.exit(main())
