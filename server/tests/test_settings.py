"""Settings come from the environment, and a wrong one is named without being shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from infraprism_server.errors import StartupError
from infraprism_server.settings import configuration_page, load_settings

ROOT = Path(__file__).parents[2]


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAPRISM_PORT", "9000")
    monkeypatch.setenv("INFRAPRISM_HOST", "0.0.0.0")
    settings = load_settings(port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "0.0.0.0")


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAPRISM_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.1,")
    monkeypatch.setenv("INFRAPRISM_ALLOWED_HOSTS", "")
    settings = load_settings()
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.168.0.1")
    assert settings.allowed_hosts == ()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_URL", "CONTROL_URL", "SECRET_KEY", "METRICS_TOKEN"):
        monkeypatch.setenv(f"INFRAPRISM_{name}", " ")
    settings = load_settings()
    assert settings.public_url is settings.control_url is None
    assert settings.secret_key is settings.metrics_token is None


def test_words_may_be_written_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAPRISM_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("INFRAPRISM_PUBLIC_URL", "https://spend.example.com/")
    settings = load_settings()
    assert settings.log_level == "warning"
    assert settings.public_url == "https://spend.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty-sesame"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "sesame"),
        ("LOG_FORMAT", "sesame"),
        ("PUBLIC_URL", "sesame.example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://user:sesame@example.com"),
        ("PUBLIC_URL", "https://[sesame"),
        ("SECRET_KEY", "sesame"),
        ("QUERY_THREADS", "0"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"INFRAPRISM_{name}", value)
    with pytest.raises(StartupError, match=f"^INFRAPRISM_{name}: ") as caught:
        load_settings()
    assert "sesame" not in caught.value.message
    assert "\n" not in caught.value.message


def test_secrets_are_not_in_the_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFRAPRISM_SECRET_KEY", "sesame" * 8)
    assert "sesame" not in repr(load_settings())


def test_the_configuration_page_is_what_the_settings_say() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == configuration_page(), (
        "run: .venv/bin/python -m infraprism_server.settings > docs/configuration.md"
    )
