"""What the documents say exists does exist: links, make targets, commands, options, code."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infraprism_server import cli
from infraprism_server.importer.command import import_command

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "sample_data" / "README.md",
        ROOT / "server" / "README.md",
    ]
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TARGET = re.compile(r"\bmake ([a-z]+)\b")

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def blocks(path: Path, *languages: str) -> Iterator[str]:
    for language, code in _FENCE.findall(path.read_text()):
        if language in languages:
            yield code


def code_of(path: Path) -> Iterator[str]:
    """Every line of shell, and every piece of code inside a sentence."""
    for block in blocks(path, "sh", "bash"):
        yield from block.replace("\\\n", " ").splitlines()
    yield from _CODE.findall(_FENCE.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """Headings as link targets: lower case, spaces as dashes, other marks dropped."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", path.read_text()), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@each_document
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", path.read_text())):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@each_document
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for code in code_of(path):
        for name in _TARGET.findall(code):
            assert name in targets, code


@each_document
def test_every_command_and_option_exists(path: Path) -> None:
    for code in code_of(path):
        words = words_after_infraprism(code)
        if words:
            check_command(words, code)


@each_document
def test_shell_blocks_are_shell(path: Path) -> None:
    for block in blocks(path, "sh", "bash"):
        checked = subprocess.run(
            ["bash", "-n"], input=block, text=True, capture_output=True, check=False
        )
        assert checked.returncode == 0, f"{checked.stderr}\n{block}"


@each_document
def test_python_blocks_are_python(path: Path) -> None:
    for block in blocks(path, "python"):
        compile(block, str(path), "exec")


def test_the_readme_starts_with_the_two_commands_and_fits_a_screen() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert [line.split("#")[0].strip() for line in lines[3:5]] == ["make run", "make test"]
    assert len(lines) <= 60


def test_every_option_of_import_is_described() -> None:
    text = (ROOT / "docs" / "importing.md").read_text()
    for parameter in import_command.params:
        if isinstance(parameter, click.Option) and parameter.name != "no_progress":
            assert parameter.opts[0] in text


def words_after_infraprism(code: str) -> list[str]:
    """The words of a call of `infraprism`, up to a comment, a pipe or the end."""
    try:
        words = shlex.split(code, comments=True)
    except ValueError:  # part of a block over several lines
        return []
    for place, word in enumerate(words[:2]):
        if word in {"infraprism", ".venv/bin/infraprism"}:
            return words[place + 1 :]
    return []


def check_command(words: list[str], code: str) -> None:
    command: click.Command = cli.main
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(click.Context(command), word)
            assert found is not None, code
            command = found
        elif word.startswith("--"):
            options = {option for parameter in command.params for option in parameter.opts}
            assert word.split("=")[0] in options, code
