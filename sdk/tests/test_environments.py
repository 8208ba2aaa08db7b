"""Every supported major of the providers' clients, and frameworks as they come."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from sdk.tests.environments import PROVIDERS, ROOT, python_of, variables

WAYS = {"oldest": 7, "openai1": 13, "openai2-first": 13, "openai2": 13, "openai3-first": 13}
"""How many of the ways of OpenAI's client these versions have."""


def played(name: str, module: str) -> Any:
    """What a module prints that runs in that environment."""
    done = subprocess.run(
        [str(python_of(name)), "-m", f"sdk.tests.environments.{module}"],
        cwd=ROOT,
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_way_to_call_is_recorded_with_that_major_of_the_providers_clients(name: str) -> None:
    told = played(name, "every_way")
    assert len(told["InfraPrismOpenAI"]) == WAYS[name], told
    assert len(told["InfraPrismAnthropic"]) == 6
    assert told["AsyncInfraPrismOpenAI"]
    assert told["AsyncInfraPrismAnthropic"]


def test_the_lowest_and_the_newest_of_every_major_is_among_them() -> None:
    versions = {
        line.split(" ")[0].strip()
        for name in PROVIDERS
        for line in (ROOT / "sdk" / "tests" / "environments" / f"{name}.txt")
        .read_text()
        .split("\n")
    }
    lowest = {"openai==1.40.0", "openai==2.0.0", "openai==3.0.0"}
    lowest |= {"anthropic==0.40.0", "anthropic==1.0.0", "anthropic==2.0.0"}
    assert lowest <= versions
    for major in ("openai==1.1", "openai==2.5", "anthropic==0.1", "anthropic==1.1"):
        assert [one for one in versions if one.startswith(major)], major


def test_frameworks_as_they_come_are_measured_and_attributed() -> None:
    told = played("frameworks", "frameworks")
    assert len(told["langchain"]) == 6
    assert len(told["pydantic_ai"]) == 3
    for framework in ("langchain", "pydantic_ai"):
        for entity, model, tokens, success in told[framework]:
            assert entity == framework.replace("_", "-")
            assert model in {"gpt-4o", "claude-x"}
            assert (tokens, success) == (120, True)
    assert told["requests"] == 9
