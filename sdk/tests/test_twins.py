"""The awaited client is what `python -m sdk.make_async` makes of the other one."""

from __future__ import annotations

import pytest

from sdk.make_async import API, MODULES, twin_of


@pytest.mark.parametrize("name", MODULES)
def test_a_twin_is_what_is_made_of_its_source(name: str) -> None:
    written = (API / f"async_{name}.py").read_text(encoding="utf-8")
    assert written == twin_of(name), "run: .venv/bin/python -m sdk.make_async"
