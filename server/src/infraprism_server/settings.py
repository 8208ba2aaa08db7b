"""Every setting of the server: environment variables that start with INFRAPRISM_.

docs/configuration.md is generated from this class (`python -m infraprism_server.settings`), and a
test compares the two.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infraprism_server.errors import StartupError

ENV_PREFIX = "INFRAPRISM_"
MIN_SECRET_CHARS = 32


class Settings(BaseSettings):
    """How one installation runs. Command-line options win over the environment."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(Path("data"), description="Folder that holds everything stored.")
    public_url: str | None = Field(
        None, description="Address users reach the server by, such as https://spend.example.com."
    )
    control_url: str | None = Field(
        None,
        description="SQLAlchemy URL of the control store. Default: SQLite in the data folder.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Secret that encrypts what must be readable again, at least 32 characters. "
        "Several with blanks between them, newest first, replace one by another. "
        "Default: made at first start and kept in DATA_DIR/secret.key.",
    )
    rate_limit_url: str = Field(
        "memory://", description="Where rate-limit counters live: memory:// or valkey://host:port."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks whose X-Forwarded-For and X-Forwarded-Proto are believed, by commas.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names answered to when listening beyond loopback, by commas. The public "
        "URL's host is always one of them.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that opens /metrics to addresses beyond loopback."
    )
    allow_private_webhooks: bool = Field(
        False,
        description="Let webhooks go to loopback and private addresses, over http and to any port.",
    )
    exports_url: str | None = Field(
        None,
        description="Bucket of export files, s3://bucket/prefix. Default: a folder in the data "
        "folder.",
    )
    exports_endpoint: str | None = Field(
        None, description="Where a bucket is that is not Amazon's, such as http://127.0.0.1:9000."
    )
    exports_region: str | None = Field(
        None, description="The bucket's region. Default: AWS_REGION, or us-east-1."
    )
    exports_access_key_id: str | None = Field(
        None,
        description="Key id for the bucket. Default: AWS_ACCESS_KEY_ID, or the machine's role.",
    )
    exports_secret_access_key: SecretStr | None = Field(
        None, description="Its secret. Default: AWS_SECRET_ACCESS_KEY, or the machine's role."
    )
    anomaly_seconds: float = Field(
        60.0,
        ge=0.1,
        le=3600,
        description="Seconds between two looks for hours that closed; an open hour is looked at "
        "every fifteenth time.",
    )
    retention_seconds: float = Field(
        600.0,
        ge=0.1,
        le=86_400,
        description="Seconds between two looks for events that are older than their account keeps "
        "them.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="json, text, or auto: text on a terminal."
    )
    sample: bool = Field(True, description="With --bootstrap: import the bundled real trace.")
    max_event_queue: int = Field(
        50_000, ge=1_000, description="Events that may wait for the writer before 503 is answered."
    )
    memory_limit_mb: int | None = Field(
        None,
        ge=128,
        description="Memory of the event store, MB. Default: a quarter of the machine's or the "
        "container's memory, at most 1024.",
    )
    query_threads: int | None = Field(
        None, ge=1, le=64, description="Threads of the event store. Default: the machine's cores."
    )
    long_reads: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Questions that scan events (tags, sessions, rare filters) answered at once; "
        "16 more may wait, beyond that 503. Default: one for every two cores.",
    )
    read_timeout_seconds: float = Field(
        30.0, ge=0.1, le=3600, description="How long a read may take before 503 is answered."
    )

    @field_validator("trusted_proxies", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for raw in value.split(",") if (part := raw.strip()))
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator(
        *("public_url", "control_url", "secret_key", "metrics_token"),
        *("exports_url", "exports_endpoint", "exports_region"),
        *("exports_access_key_id", "exports_secret_access_key"),
        mode="before",
    )
    @classmethod
    def _empty_is_absent(cls, value: object) -> object:
        # `INFRAPRISM_PUBLIC_URL=` in an environment file means that it is not set.
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.strip())
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("not an address such as https://spend.example.com")
        return value.strip().rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _check_secret_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(
            len(part) < MIN_SECRET_CHARS for part in value.get_secret_value().split()
        ):
            raise ValueError(f"at least {MIN_SECRET_CHARS} characters each")
        return value


def load_settings(**given: Any) -> Settings:  # noqa: ANN401 - the fields have many types
    """The settings of the environment, with what was `given` (and is not None) over them.

    StartupError names the variables at fault and never shows a value, which may be a secret.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = [
            f"{ENV_PREFIX}{'.'.join(str(part) for part in item['loc'][:1]).upper()}: "
            + item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise StartupError("; ".join(wrong)) from None


def configuration_page() -> str:
    """docs/configuration.md: one line a setting."""
    lines = [
        "# Configuration",
        "",
        "Environment variables; command-line options win over them. This page is made by",
        "`python -m infraprism_server.settings > docs/configuration.md`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {_shown(field.default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _shown(default: object) -> str:
    if default is None or default == ():
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
