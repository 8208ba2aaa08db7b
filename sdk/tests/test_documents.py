"""The SDK's pages: their code is code, names what exists, and their links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import infraprism

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("sdk*.md"))


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_code_parses_and_names_what_the_package_has(name: str) -> None:
    text = (DOCS / name).read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks or name == "sdk-privacy.md" or "```sh" in text
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "infraprism":
                for alias in node.names:
                    assert hasattr(infraprism, alias.name), f"{name}: {alias.name}"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "infraprism":
                assert hasattr(infraprism, node.attr), f"{name}: infraprism.{node.attr}"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_between_pages_leads_to_a_page_and_a_heading(name: str) -> None:
    for page, anchor in re.findall(r"\]\(([\w.-]+\.md)(?:#([\w-]+))?\)", (DOCS / name).read_text()):
        assert (DOCS / page).exists(), page
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
            assert anchor in slugs, f"{page}#{anchor}"
