"""docs/reliability.md says what there is: each requirement, its tests by name, its rounds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract_tests.soak_rounds import ROUNDS

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reliability.md"
REQUIREMENTS = frozenset([*range(1, 25), 43, 44])
_ROW = re.compile(r"^\| R(\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")
_TEST = re.compile(r"^def (test_r\d+\w*)", re.MULTILINE)


def rows() -> dict[int, tuple[list[str], list[str]]]:
    """By requirement: the names of its tests and of its rounds."""
    return {
        int(number): (_NAME.findall(tests), _NAME.findall(rounds))
        for number, tests, rounds in _ROW.findall(DOCUMENT.read_text())
    }


def requirements_of(name: str) -> set[int]:
    """The numbers that a test's name begins with."""
    begin = re.match(r"test((?:_r\d+)+)_", name)
    return {int(number) for number in re.findall(r"\d+", begin[1])} if begin else set()


@pytest.fixture(scope="module")
def existing() -> set[str]:
    files = [
        *(ROOT / "server" / "tests").rglob("test_*.py"),
        *(ROOT / "contract_tests").rglob("*.py"),
    ]
    return {name for path in files for name in _TEST.findall(path.read_text())}


def test_every_requirement_has_tests_by_its_number(existing: set[str]) -> None:
    """No requirement is missing, and each has at least one test that carries its number."""
    assert rows().keys() == REQUIREMENTS
    covered = {number for name in existing for number in requirements_of(name)}
    assert covered >= REQUIREMENTS


def test_the_tests_and_rounds_it_names_exist(existing: set[str]) -> None:
    """Each test under the requirement whose number it carries, each round as `--only` takes it."""
    for number, (tests, rounds) in rows().items():
        assert tests, number
        for name in tests:
            assert name in existing, name
            assert number in requirements_of(name), name
        assert ROUNDS.keys() >= set(rounds), number
