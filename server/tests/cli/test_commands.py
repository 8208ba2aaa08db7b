"""`accounts` and `keys` on the terminal: what they print, and one clear line when they can not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infraprism_server.cli import LAZY_COMMANDS, LazyGroup, main

Run = Callable[..., Result]


@pytest.fixture
def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `infraprism` with the arguments, on a data folder that is not there yet."""
    monkeypatch.setenv("INFRAPRISM_DATA_DIR", str(data_dir))

    def run_command(*args: str) -> Result:
        return CliRunner().invoke(main, args)

    return run_command


@pytest.fixture
def ann(run: Run) -> dict[str, str]:
    """An account made by the CLI."""
    args = ("--email", "ann@acme.example", "--name", "Ann", "--plan", "growth", "--json")
    made: dict[str, str] = json.loads(run("accounts", "create", *args).stdout)["account"]
    return made


def refused(result: Result, words: str, code: int) -> None:
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert words in lines[-1]
    assert "Traceback" not in result.stderr


def test_an_account_is_made_on_an_empty_folder_with_a_key_shown_once(run: Run) -> None:
    result = run(
        *("accounts", "create", "--email", "ops@acme.example", "--name", "Ops"),
        *("--company", "Acme Corp", "--plan", "enterprise", "--rate-limit", "1000000"),
        *("--timezone", "Europe/Berlin", "--json"),
    )
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert set(made) == {"account", "api_key"}
    assert made["api_key"].startswith("ip-")
    account = made["account"]
    assert account["id"].startswith("acc_")
    assert account["created_at"].endswith("Z")
    assert {key: account[key] for key in account if key not in ("id", "created_at")} == {
        "email": "ops@acme.example",
        "name": "Ops",
        "company": "Acme Corp",
        "plan": "enterprise",
        "timezone": "Europe/Berlin",
        "retention_days": None,
        "rate_limit_per_minute": 1_000_000,
    }
    for later in (("accounts", "list"), ("keys", "list", "--account", "ops@acme.example")):
        assert made["api_key"] not in run(*later, "--json").stdout + run(*later).stdout


def test_without_json_a_person_reads_the_account_and_the_key(run: Run) -> None:
    result = run("accounts", "create", "--email", "a@b.example", "--name", "A")
    assert "free, 60 requests a minute" in result.stdout
    assert result.stdout.splitlines()[-2] == "API key, shown only this once:"
    assert result.stdout.splitlines()[-1].startswith("ip-")


def test_accounts_are_listed(run: Run, ann: dict[str, str]) -> None:
    assert json.loads(run("accounts", "list", "--json").stdout) == {"data": [ann]}
    heads, row = run("accounts", "list").stdout.splitlines()
    assert heads.split()[:3] == ["ID", "E-MAIL", "PLAN"]
    assert row.split() == [ann["id"], "ann@acme.example", "growth", "300", "UTC", "Ann"]


def test_an_empty_folder_says_what_to_run(run: Run) -> None:
    assert "infraprism accounts create" in run("accounts", "list").stdout


@pytest.mark.parametrize("reference", ["id", "email"])
def test_an_account_is_changed_by_id_or_email(
    run: Run, ann: dict[str, str], reference: str
) -> None:
    result = run(
        *("accounts", "update", ann[reference], "--name", "Anna", "--company", "Acme"),
        *("--retention-days", "90", "--timezone", "Asia/Tokyo", "--plan", "scale", "--json"),
    )
    assert json.loads(result.stdout)["account"] == {
        **ann,
        "name": "Anna",
        "company": "Acme",
        "retention_days": 90,
        "timezone": "Asia/Tokyo",
        "plan": "scale",
        "rate_limit_per_minute": 1_000,
    }
    again = run("accounts", "update", ann["id"], "--retention-days", "forever")
    assert "kept for ever" in again.stdout


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--plan", "gold"), "use one of free, growth, scale, enterprise"),
        (("--plan", "enterprise"), "add --rate-limit N"),
        (("--plan", "free", "--rate-limit", "9"), "Only enterprise"),
        (("--timezone", "Europe/Berln"), "use Europe/Berlin"),
        (("--email", "nonsense"), "such as ops@example.com"),
        (("--name", "x" * 201), "200 characters"),
        (("--retention-days", "soon"), "number of days or 'forever'"),
        (("--retention-days", "0"), "1 to 36500"),
        (("--rate-limit", "many"), "not a valid integer"),
    ],
)
def test_bad_input_answers_with_what_to_type(run: Run, args: tuple[str, ...], words: str) -> None:
    good = ("accounts", "create", "--email", "x@y.example", "--name", "X")
    refused(run(*good, *args), words, 2)
    assert json.loads(run("accounts", "list", "--json").stdout) == {"data": []}


def test_what_is_not_there_or_taken_is_one_line(run: Run, ann: dict[str, str]) -> None:
    email = ann["email"]
    refused(run("accounts", "create", "--email", email, "--name", "B"), "already", 1)
    refused(run("accounts", "update", ann["id"]), "Nothing to change", 2)
    refused(run("accounts", "update", "acc_none", "--name", "x"), "accounts list", 1)
    refused(run("keys", "create", "--account", "no@one", "--name", "x"), "accounts list", 1)
    refused(run("keys", "delete", "key_none", "--account", email), "no API key", 1)


def test_keys_are_made_listed_and_deleted(run: Run, ann: dict[str, str]) -> None:
    email = ann["email"]
    made = json.loads(
        run(
            *("keys", "create", "--account", email, "--name", "ci", "--scope", "ingest"),
            *("--scope", "read", "--expires-at", "2099-01-31T00:00:00+01:00", "--json"),
        ).stdout
    )
    assert made["key"].startswith(made["prefix"])
    assert made["scopes"] == ["read", "ingest"]
    assert made["expires_at"] == "2099-01-30T23:00:00Z"
    listed = json.loads(run("keys", "list", "--account", ann["id"], "--json").stdout)["data"]
    assert {key["name"] for key in listed} == {"ci", "default"}
    assert all("key" not in key for key in listed)
    assert made["id"] in run("keys", "list", "--account", email).stdout
    assert run("keys", "delete", made["id"], "--account", email).exit_code == 0
    left = json.loads(run("keys", "list", "--account", email, "--json").stdout)["data"]
    assert [key["name"] for key in left] == ["default"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--scope", "admin"), "use full, read, ingest"),
        (("--expires-at", "soon"), "such as 2027-01-31T00:00:00Z"),
        (("--expires-at", "2099-01-01"), "needs an offset"),
        (("--expires-at", "2001-01-01T00:00:00Z"), "in the future"),
    ],
)
def test_a_bad_key_answers_with_what_to_type(
    run: Run, ann: dict[str, str], args: tuple[str, ...], words: str
) -> None:
    refused(run("keys", "create", "--account", ann["email"], "--name", "x", *args), words, 2)


def test_the_folder_may_be_named_before_or_after_the_command(run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "elsewhere")
    made = run("accounts", "create", "--email", "a@b.example", "--name", "A", "--data-dir", folder)
    assert made.exit_code == 0, made.output
    assert "a@b.example" in run("--data-dir", folder, "accounts", "list").stdout
    assert "a@b.example" not in run("accounts", "list").stdout


def test_a_folder_that_can_not_be_used_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("accounts", "list", "--data-dir", str(tmp_path / "file"))
    refused(result, "it is not a folder", 1)


def test_a_file_that_is_no_control_store_is_one_line(run: Run, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "control.db").write_text("this is not a database, but long enough for a header" * 9)
    refused(run("accounts", "list"), "control store can not be opened", 1)


def test_a_wrong_setting_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAPRISM_PORT", "sesame")
    refused(run("serve"), "INFRAPRISM_PORT", 1)


def test_the_help_says_of_each_command_what_the_command_says() -> None:
    assert isinstance(main, LazyGroup)
    context = main.make_context("infraprism", ["accounts"])
    for name, (_, words) in LAZY_COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(200) == words
    context.close()
