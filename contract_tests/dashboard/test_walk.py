"""The walk of `make soak`, over the sample alone: what a new user sees after `make run`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from contract_tests.dashboard.walk import walk_over_the_sample


def test_r41_every_page_and_action_over_the_sample(browser: Browser, tmp_path: Path) -> None:
    assert walk_over_the_sample(browser, tmp_path / "sample") > 40
