"""The short form of the soak's round `hostile-names`: all of them in lists, some on their own."""

from __future__ import annotations

from playwright.sync_api import Browser

from contract_tests.dashboard.hostile import PAYLOADS
from contract_tests.dashboard.hostile_names import LISTS, open_hostile_names
from contract_tests.harness.server_process import ServerProcess


def test_r42_no_name_runs_in_any_list_or_on_its_own_pages(
    browser: Browser, server: ServerProcess
) -> None:
    names = PAYLOADS[::5]
    assert open_hostile_names(browser, server, names) == len(LISTS) + 2 * len(names)
